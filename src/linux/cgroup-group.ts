/** One control group across every mounted hierarchy: is it frozen, end what is in it, take it away. */
import { existsSync, readdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { textOf } from "#lib/absent.ts";
import { listMounts } from "./mountinfo.ts";

/** Where the group `path` (absolute below each hierarchy's root) exists. */
export function groupFolders(path: string): string[] {
  return listMounts("/sys/fs/cgroup")
    .filter(({ type }) => type === "cgroup" || type === "cgroup2")
    .map(({ mountPoint }) => join(mountPoint, path))
    .filter((folder) => existsSync(folder));
}

/** Whether the group's processes are frozen, whoever froze them. */
export function isFrozen(path: string): boolean {
  return groupFolders(path).some(
    (folder) =>
      textOf(join(folder, "cgroup.freeze")).trim() === "1" || /^(FROZEN|FREEZING)$/.test(freezerState(folder)),
  );
}

/** Lets frozen processes run again. No error where nothing is frozen. */
export function thaw(path: string): void {
  for (const folder of groupFolders(path)) {
    if (textOf(join(folder, "cgroup.freeze")).trim() === "1") writeFileSync(join(folder, "cgroup.freeze"), "0");
    if (freezerState(folder) !== "") writeFileSync(join(folder, "freezer.state"), "THAWED");
  }
}

/**
 * Kills every process of the group and of those below it and removes them all. For groups that nobody else manages any
 * more. Idempotent; false where something resisted for a second.
 */
export async function removeGroup(path: string): Promise<boolean> {
  const deadline = performance.now() + 1000;
  for (;;) {
    const folders = groupFolders(path);
    if (folders.length === 0) return true;
    if (performance.now() > deadline) return false;
    for (const folder of folders) {
      for (const pid of processesBelow(folder)) kill(pid);
    }
    thaw(path);
    for (const folder of folders) removeTree(folder);
    if (groupFolders(path).length > 0) await Bun.sleep(10);
  }
}

/** Every process of the group and of those below it; empty where there is no such group. */
export function groupProcesses(path: string): number[] {
  return [...new Set(groupFolders(path).flatMap(processesBelow))];
}

function processesBelow(folder: string): number[] {
  return [...textOf(join(folder, "cgroup.procs")).trim().split("\n"), ...children(folder).flatMap(processesBelow)]
    .map(Number)
    .filter((pid) => pid > 0);
}

function removeTree(folder: string): void {
  for (const child of children(folder)) removeTree(child);
  try {
    rmdirSync(folder);
  } catch {
    // Still in use, or gone already: the caller looks again.
  }
}

function children(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(folder, entry.name));
  } catch {
    return [];
  }
}

function freezerState(folder: string): string {
  return textOf(join(folder, "freezer.state")).trim();
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Ended by itself.
  }
}
