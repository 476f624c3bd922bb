/** The limits of a control group as its files say them: remembered before a change, put back where the change fails. */
import { writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { readGroupFile } from "./cgroup-file.ts";
import { groupFolders } from "./cgroup-group.ts";

/** What the files of a group held, by path. */
export type SavedLimits = Readonly<Record<string, string>>;

/** On v1 and v2, and the order in which they are written. */
const FILES = [
  "cpu.cfs_period_us",
  "cpu.cfs_quota_us",
  "cpu.shares",
  "cpu.max",
  "cpu.weight",
  "cpuset.cpus",
  "cpuset.mems",
  "memory.limit_in_bytes",
  "memory.memsw.limit_in_bytes",
  "memory.soft_limit_in_bytes",
  "memory.max",
  "memory.swap.max",
  "memory.low",
  "pids.max",
  "blkio.weight",
  "blkio.bfq.weight",
  "io.weight",
  "io.bfq.weight",
];
/** No chain of limits that bound each other is longer. */
const PASSES = 3;

/** Reads the limits of the group `path` in every hierarchy. A group that is not there has none. */
export function saveLimits(path: string): SavedLimits {
  const saved: Record<string, string> = {};
  for (const folder of groupFolders(path)) {
    for (const name of FILES) {
      const text = readGroupFile(folder, name)?.trim();
      if (text !== undefined) saved[join(folder, name)] = text;
    }
  }
  return saved;
}

/** Writes back what differs. Throws the kernel's refusal where one of the limits cannot be had any more. */
export function restoreLimits(saved: SavedLimits): void {
  const differs = ([file, text]: readonly [string, string]) => {
    const now = readGroupFile(dirname(file), basename(file))?.trim();
    return now !== undefined && now !== text;
  };
  let refusal: Error | undefined;
  // A limit may be kept from its old value by another one: memory by memory with swap.
  for (let pass = 0; pass < PASSES; pass++) {
    for (const [file, text] of Object.entries(saved).filter(differs)) {
      try {
        // An empty list must be written too.
        writeFileSync(file, `${text}\n`);
      } catch (error) {
        refusal = error as Error;
      }
    }
  }
  if (refusal !== undefined && Object.entries(saved).some(differs)) throw refusal;
}

/** What is written into which file to have no limit. */
const UNLIMITED = {
  pids: { "pids.max": "max" },
  cpu: { "cpu.cfs_quota_us": "-1", "cpu.max": "max" },
} as const;

/** Takes the limit of processes, or of CPU time, off the group `path`. */
export function liftLimit(path: string, what: keyof typeof UNLIMITED): void {
  for (const folder of groupFolders(path)) {
    for (const [name, text] of Object.entries(UNLIMITED[what])) {
      if (readGroupFile(folder, name)?.trim() !== undefined) writeFileSync(join(folder, name), text);
    }
  }
}
