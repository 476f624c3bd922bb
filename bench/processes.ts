/** Which processes serve a daemon, read from /proc: its tree and its detached helpers, without the containers'. */
import { readdir, readFile, readlink } from "node:fs/promises";

export interface Served {
  readonly pid: number;
  readonly mark: string;
}

/** Sum over the daemon's processes. Rejects where the daemon does not run. */
export async function proportionalMegabytes(daemon: Served): Promise<number> {
  let kilobytes = 0;
  for (const pid of await serving(daemon)) {
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "utf8").catch(() => "");
    kilobytes += Number(/^Pss: +(\d+) kB/m.exec(rollup)?.[1] ?? 0);
  }
  return kilobytes / 1024;
}

async function serving({ pid, mark }: Served): Promise<Set<number>> {
  const ours = await readlink("/proc/self/ns/pid");
  const parents = new Map<number, number>();
  const found = new Set<number>();
  for (const candidate of await processes()) {
    try {
      const stat = await readFile(`/proc/${candidate}/stat`, "utf8");
      // What lives in a pid namespace of its own is a container.
      if ((await readlink(`/proc/${candidate}/ns/pid`)) !== ours) continue;
      parents.set(candidate, Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
      const marked = (await readFile(`/proc/${candidate}/cmdline`, "utf8")).includes(mark);
      if (candidate === pid || marked) found.add(candidate);
    } catch {
      // Ended in the meantime.
    }
  }
  // The bench and who started it name the daemon's socket too.
  for (let own: number | undefined = process.pid; own !== undefined; own = parents.get(own)) found.delete(own);
  if (!found.has(pid)) throw new Error(`the daemon (process ${pid}) does not run`);
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const [child, parent] of parents) if (found.has(parent)) found.add(child);
  }
  return found;
}

/** The process that listens on a unix socket. Rejects where there is none in this network namespace. */
export async function listener(socket: string): Promise<number> {
  const acceptsConnections = "00010000";
  const inodes = (await readFile("/proc/net/unix", "utf8"))
    .split("\n")
    .map((line) => line.trim().split(/ +/))
    .filter((fields) => fields[3] === acceptsConnections && fields[7] === socket)
    .map((fields) => `socket:[${fields[6]}]`);
  for (const pid of await processes()) {
    for (const descriptor of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => "");
      if (inodes.includes(target)) return pid;
    }
  }
  throw new Error(`no process listens on ${socket}`);
}

async function processes(): Promise<number[]> {
  return (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
}
