/** Reads a group's usage from the controllers of cgroup v1 (kernel: Documentation/admin-guide/cgroup-v1). */
import { join } from "node:path";
import { readGroupFile, readKeyed, readNumber } from "./cgroup-file.ts";
import {
  type BlockCounter,
  type CpuUsage,
  type GroupUsage,
  type GroupUsageReader,
  type MemoryUsage,
  NANOSECONDS_PER_TICK,
} from "./cgroup-usage.ts";

const OWN = [
  "cache rss rss_huge mapped_file dirty writeback pgpgin pgpgout pgfault pgmajfault",
  "inactive_anon active_anon inactive_file active_file unevictable",
]
  .join(" ")
  .split(" ");

const DETAILS: readonly string[] = [
  ...OWN,
  "hierarchical_memory_limit",
  "hierarchical_memsw_limit",
  ...OWN.map((name) => `total_${name}`),
];

export class V1Usage implements GroupUsageReader {
  readonly #hierarchies: ReadonlyMap<string, string>;

  /** Mount points by controller. */
  constructor(hierarchies: ReadonlyMap<string, string>) {
    this.#hierarchies = hierarchies;
  }

  cpu(group: string): CpuUsage | undefined {
    const folder = this.#folder("cpuacct", group);
    const total = readNumber(folder, "cpuacct.usage");
    if (total === undefined) return undefined;
    const perCpu = readGroupFile(folder, "cpuacct.usage_percpu")?.trim().split(/\s+/).map(Number);
    const split = readKeyed(folder, "cpuacct.stat");
    const throttling = readKeyed(this.#folder("cpu", group), "cpu.stat");
    return {
      total,
      kernel: (split.get("system") ?? 0) * NANOSECONDS_PER_TICK,
      user: (split.get("user") ?? 0) * NANOSECONDS_PER_TICK,
      ...(perCpu !== undefined && { perCpu }),
      periods: throttling.get("nr_periods") ?? 0,
      throttledPeriods: throttling.get("nr_throttled") ?? 0,
      throttledTime: throttling.get("throttled_time") ?? 0,
    };
  }

  all(group: string): GroupUsage | undefined {
    const cpu = this.cpu(group);
    if (cpu === undefined) return undefined;
    const pids = this.#folder("pids", group);
    const current = readNumber(pids, "pids.current");
    const limit = readNumber(pids, "pids.max") ?? Infinity;
    return {
      cpu,
      memory: this.#memory(group),
      pids: current === undefined ? undefined : { current, limit },
      blockIO: this.#blockIO(group),
    };
  }

  #memory(group: string): MemoryUsage | undefined {
    const folder = this.#folder("memory", group);
    const usage = readNumber(folder, "memory.usage_in_bytes");
    if (usage === undefined) return undefined;
    const stat = readKeyed(folder, "memory.stat");
    return {
      usage,
      highest: readNumber(folder, "memory.max_usage_in_bytes") ?? 0,
      failures: readNumber(folder, "memory.failcnt") ?? 0,
      limit: readNumber(folder, "memory.limit_in_bytes") ?? Infinity,
      details: Object.fromEntries(DETAILS.map((name) => [name, stat.get(name) ?? 0])),
    };
  }

  /** What the throttle counts holds for every scheduler; CFQ's own files are gone since Linux 5.0. */
  #blockIO(group: string): GroupUsage["blockIO"] {
    const folder = this.#folder("blkio", group);
    return {
      bytes: blockCounters(readGroupFile(folder, "blkio.throttle.io_service_bytes")),
      operations: blockCounters(readGroupFile(folder, "blkio.throttle.io_serviced")),
    };
  }

  #folder(controller: string, group: string): string {
    return join(this.#hierarchies.get(controller) ?? "/nonexistent", group);
  }
}

/** Lines such as `8:0 Read 4096`; the last one, `Total 4096`, is of no device. */
function blockCounters(text: string | undefined): BlockCounter[] | undefined {
  return text?.split("\n").flatMap((line) => {
    const [, major, minor, op, value] = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line) ?? [];
    if (op === undefined) return [];
    return [{ major: Number(major), minor: Number(minor), op, value: Number(value) }];
  });
}
