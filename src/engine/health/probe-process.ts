/** Ends probes with all that they started, and finds those that a dead daemon left behind. */
import { readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { monitorFiles } from "#engine/runtime/conmon.ts";
import { commandLine, readPid } from "#engine/runtime/monitors.ts";
import { namesIn, textOf } from "#lib/absent.ts";
import { processGroup } from "#linux/process.ts";
import type { Layout } from "#store/layout.ts";

/** The name tells a probe's runtime from that of an exec, which has a monitor. */
export const PROBE_FILE = "probe.json";

/** `runtime` is the process that waits for the probe; the probe leads a process group of its own. */
export function killProbe(runtime: number): void {
  for (const child of childrenOf(runtime)) killWithGroup(child, runtime);
  kill(runtime);
}

/** Ends what runs of probes in the containers `living`, and removes their folders. */
export function endStrayProbes(layout: Layout, living: ReadonlySet<string>): void {
  if (living.size === 0) return;
  for (const pid of numbers(readdirSync("/proc"))) {
    const words = commandLine(pid);
    if (words.some((word) => basename(word) === PROBE_FILE) && words.some((word) => living.has(word))) killProbe(pid);
  }
  for (const id of living) {
    for (const exec of namesIn(layout.execs(id))) {
      const folder = layout.exec(id, exec);
      if (!namesIn(folder).includes(PROBE_FILE)) continue;
      const pid = readPid(monitorFiles.pid(folder));
      // Its runtime died first: the group is what tells the probe from a later process of the same number.
      if (pid !== undefined && textOf(`/proc/${pid}/cgroup`).includes(id)) killWithGroup(pid, process.pid);
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

/** The group of `outside` is spared: between its birth and its own group a probe is in that of its parent. */
function killWithGroup(pid: number, outside: number): void {
  const group = processGroup(pid);
  if (group !== undefined && group > 1 && group !== processGroup(outside)) kill(-group);
  kill(pid);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Ended by itself.
  }
}

function childrenOf(pid: number): number[] {
  const tasks = `/proc/${pid}/task`;
  return namesIn(tasks).flatMap((task) => numbers(textOf(join(tasks, task, "children")).split(" ")));
}

function numbers(words: readonly string[]): number[] {
  return words.map(Number).filter((number) => Number.isInteger(number) && number > 0);
}
