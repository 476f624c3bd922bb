/** Reads a group's usage from the unified hierarchy (kernel: Documentation/admin-guide/cgroup-v2.rst). */
import { join } from "node:path";
import { readGroupFile, readKeyed, readNumber } from "./cgroup-file.ts";
import type { BlockCounter, CpuUsage, GroupUsage, GroupUsageReader, MemoryUsage } from "./cgroup-usage.ts";

const DETAILS: readonly string[] = [
  "anon file kernel_stack slab sock shmem file_mapped file_dirty file_writeback anon_thp",
  "inactive_anon active_anon inactive_file active_file unevictable slab_reclaimable slab_unreclaimable",
  "pgfault pgmajfault workingset_refault workingset_activate workingset_nodereclaim",
  "pgrefill pgscan pgsteal pgactivate pgdeactivate pglazyfree pglazyfreed thp_fault_alloc thp_collapse_alloc",
]
  .join(" ")
  .split(" ");

export class V2Usage implements GroupUsageReader {
  readonly #root: string;

  /** The mount point. */
  constructor(root: string) {
    this.#root = root;
  }

  cpu(group: string): CpuUsage | undefined {
    const stat = readKeyed(join(this.#root, group), "cpu.stat");
    if (stat.size === 0) return undefined;
    const nanoseconds = (name: string) => (stat.get(name) ?? 0) * 1000;
    return {
      total: nanoseconds("usage_usec"),
      kernel: nanoseconds("system_usec"),
      user: nanoseconds("user_usec"),
      periods: stat.get("nr_periods") ?? 0,
      throttledPeriods: stat.get("nr_throttled") ?? 0,
      throttledTime: nanoseconds("throttled_usec"),
    };
  }

  all(group: string): GroupUsage | undefined {
    const cpu = this.cpu(group);
    if (cpu === undefined) return undefined;
    const folder = join(this.#root, group);
    const current = readNumber(folder, "pids.current");
    const limit = readNumber(folder, "pids.max") ?? Infinity;
    return {
      cpu,
      memory: memoryUsage(folder),
      pids: current === undefined ? undefined : { current, limit },
      blockIO: { bytes: blockCounters(readGroupFile(folder, "io.stat")), operations: undefined },
    };
  }
}

function memoryUsage(folder: string): MemoryUsage | undefined {
  const usage = readNumber(folder, "memory.current");
  if (usage === undefined) return undefined;
  const stat = readKeyed(folder, "memory.stat");
  return {
    usage,
    failures: readKeyed(folder, "memory.events").get("oom") ?? 0,
    limit: readNumber(folder, "memory.max") ?? Infinity,
    details: Object.fromEntries(DETAILS.map((name) => [name, stat.get(name) ?? 0])),
  };
}

/** Lines such as `8:0 rbytes=4096 wbytes=0 rios=1 …`. */
function blockCounters(text: string | undefined): BlockCounter[] | undefined {
  return text?.split("\n").flatMap((line) => {
    const [, major, minor, rest = ""] = /^(\d+):(\d+) (.*)$/.exec(line) ?? [];
    if (major === undefined) return [];
    const device = { major: Number(major), minor: Number(minor) };
    const value = (name: string) => Number(new RegExp(`\\b${name}=(\\d+)`).exec(rest)?.[1] ?? 0);
    return [
      { ...device, op: "read", value: value("rbytes") },
      { ...device, op: "write", value: value("wbytes") },
    ];
  });
}
