/** Finds the monitors and runtimes of containers among the host's processes, whoever started them. */
import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { monitorFiles } from "./conmon.ts";

/** The pid of the conmon that watches over the container of `bundle`; undefined where it is gone. */
export function findMonitor(bundle: string): number | undefined {
  const pid = readPid(monitorFiles.monitorPid(bundle));
  if (pid === undefined) return undefined;
  const words = commandLine(pid);
  if (basename(words[0] ?? "") !== "conmon") return undefined;
  // By the folder's own name, an id: an earlier daemon may have come to it by another path (/var/run is /run).
  return words.some((word) => basename(word) === basename(bundle)) ? pid : undefined;
}

/** Undefined while the file is not there or not whole. */
export function readPid(file: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(file, "utf8"), 10);
    return pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Kills monitors and runtimes that work on one of these containers, those of execs too, and settles when they are gone
 * (or after a second): they would bring back what is about to be removed. The containers' own processes are not meant.
 */
export async function killMonitors(runtimeRoot: string, ids: ReadonlySet<string>): Promise<void> {
  if (ids.size === 0) return;
  const deadline = performance.now() + 1000;
  for (;;) {
    const found = processesOf(runtimeRoot, ids);
    if (found.length === 0 || performance.now() > deadline) return;
    for (const pid of found) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // Ended by itself.
      }
    }
    await Bun.sleep(5);
  }
}

/** All of them name the runtime's root and the container as words of their own. */
function processesOf(runtimeRoot: string, ids: ReadonlySet<string>): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => {
      if (!(pid > 0) || pid === process.pid) return false;
      const words = commandLine(pid);
      // A removal under way is what comes next anyway.
      return words.includes(runtimeRoot) && words.some((word) => ids.has(word)) && !words.includes("delete");
    });
}

/** Empty for a process that is gone, a zombie's included. */
export function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0");
  } catch {
    return [];
  }
}
