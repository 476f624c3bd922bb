/** Counts what the kernel killed in a group for want of memory (kernel: Documentation/admin-guide/cgroup-v2.rst). */
import { dirname, join } from "node:path";
import { readKeyed } from "./cgroup-file.ts";

/** The file of `group` in the unified hierarchy that changes with each kill, groups below included. */
export function memoryEvents(group: string): string {
  return join("/sys/fs/cgroup", group, "memory.events");
}

/** Processes killed since the group was made; undefined where it is gone. */
export function killsForMemory(events: string): number | undefined {
  return readKeyed(dirname(events), "memory.events").get("oom_kill");
}
