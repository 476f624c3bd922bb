/** Private clocks: a container whose uptime begins with its start, and tells nothing of the host's. */
import { existsSync, readlinkSync } from "node:fs";
import { checked } from "#linux/libc.ts";

const CLOCK_MONOTONIC = 1;
const CLOCK_BOOTTIME = 7;

/** Whether the kernel has time namespaces (time_namespaces(7), 5.6). */
export function hasTimeNamespaces(): boolean {
  return existsSync("/proc/self/ns/time_for_children");
}

/**
 * Words before the monitor's own that start it, hence the runtime and the container, in a new time namespace where the
 * monotonic clocks read zero. No runtime is asked for it: crun knows them from 1.9 on, runc from 1.2.
 */
export function inNewTime(): string[] {
  const offset = (clock: number): string => `-${seconds(clock)}`;
  return ["unshare", "--time", `--monotonic=${offset(CLOCK_MONOTONIC)}`, `--boottime=${offset(CLOCK_BOOTTIME)}`];
}

/**
 * The same for programs that go on in the time namespace of `pid`; none where that is gone. Runtimes need it for every
 * call: they know a process by the time of its start, which each time namespace counts by its own clock.
 */
export function inTimeOf(pid: number): string[] {
  const path = `/proc/${pid}/ns/time`;
  try {
    readlinkSync(path);
  } catch {
    return [];
  }
  return ["nsenter", `--time=${path}`];
}

/** Whole ones: a clock must not be set to less than zero. */
function seconds(clock: number): bigint {
  const time = new BigUint64Array(2);
  checked("cannot read a clock", String(clock), "clock_gettime", clock, time);
  return time[0] ?? 0n;
}
