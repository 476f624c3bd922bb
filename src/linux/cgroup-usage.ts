/** What a control group has used so far, as the kernel counts it, on v1, v2 and the hybrid of both. */
import { readFileSync } from "node:fs";

/** Times in nanoseconds. */
export interface CpuUsage {
  total: number;
  kernel: number;
  user: number;
  /** By CPU; v1 only. */
  perCpu?: number[];
  periods: number;
  throttledPeriods: number;
  throttledTime: number;
}

/** Bytes. */
export interface MemoryUsage {
  usage: number;
  /** v1 only. */
  highest?: number;
  /** How often the limit was hit (v1) or led to the OOM killer (v2). */
  failures: number;
  /** Infinity without a limit. */
  limit: number;
  /** The lines of memory.stat that Docker's API has, 0 where this kernel does not count them. */
  details: Record<string, number>;
}

/** Bytes or operations of one device. */
export interface BlockCounter {
  major: number;
  minor: number;
  op: string;
  value: number;
}

export interface GroupUsage {
  cpu: CpuUsage;
  /** Undefined without the controller. */
  memory: MemoryUsage | undefined;
  pids: { current: number; limit: number } | undefined;
  /** Undefined lists are not counted by this kind of hierarchy. */
  blockIO: { bytes: BlockCounter[] | undefined; operations: BlockCounter[] | undefined };
}

/**
 * `group` is a path below each hierarchy's root. What the group has not is 0 or undefined; `cpu` is undefined where
 * there is no such group. Synchronous: a few microseconds for each file, 1 to 4 of them for `cpu`, 6 to 13 for `all`.
 */
export interface GroupUsageReader {
  cpu(group: string): CpuUsage | undefined;
  all(group: string): GroupUsage | undefined;
}

/** Nanoseconds that all CPUs of the host together have spent since boot, idle ones included (/proc/stat, proc_stat(5)). */
export function systemCpuTime(): number {
  const [first = ""] = readFileSync("/proc/stat", "latin1").split("\n", 1);
  // user, nice, system, idle, iowait, irq, softirq: as Docker adds them up, without stolen time.
  const ticks = first.trim().split(/\s+/).slice(1, 8);
  return ticks.reduce((sum, value) => sum + Number(value), 0) * NANOSECONDS_PER_TICK;
}

/** USER_HZ is 100 on every architecture that we run on. */
export const NANOSECONDS_PER_TICK = 1e9 / 100;
