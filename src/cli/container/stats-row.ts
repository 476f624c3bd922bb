/** A container's use of the machine as the placeholders of `stats --format` print it, by Docker's formulas. */
import type { ContainerStats, CpuStats } from "#api/types/container-stats.ts";
import type { Headers } from "../format.ts";
import { Row } from "../template/value.ts";
import { binarySize, humanSize, shortId } from "../units.ts";

export const statsHeaders: Headers = {
  Container: "CONTAINER",
  Name: "NAME",
  ID: "CONTAINER ID",
  CPUPerc: "CPU %",
  MemUsage: "MEM USAGE / LIMIT",
  MemPerc: "MEM %",
  NetIO: "NET I/O",
  BlockIO: "BLOCK I/O",
  PIDs: "PIDS",
};

export const statsColumns = ["ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs"];

/** What is known of one container. */
export interface StatsEntry {
  /** As it was asked for: a name, or the first digits of the id. */
  readonly container: string;
  /** The last sample; undefined before the first. */
  sample: ContainerStats | undefined;
  /** The figures are old or were never there. */
  invalid: boolean;
}

export function statsRow({ container, sample, invalid }: StatsEntry, trunc: boolean): Row {
  const figure = (text: (sample: ContainerStats) => string, none = "--") => {
    return () => (invalid || sample === undefined ? none : text(sample));
  };
  const id = sample?.id ?? "";
  const name = sample?.name ?? "";
  return new Row("*container.statsContext", {
    Container: () => container,
    Name: () => (name.length > 1 ? name.slice(1) : "--"),
    ID: () => (trunc ? shortId(id) : id),
    CPUPerc: figure(({ precpu_stats, cpu_stats }) => percent(cpuPercent(precpu_stats, cpu_stats))),
    MemUsage: figure(
      ({ memory_stats }) => `${binarySize(memoryInUse(memory_stats))} / ${binarySize(memory_stats.limit ?? 0)}`,
      "-- / --",
    ),
    MemPerc: figure(({ memory_stats }) => {
      const { limit = 0 } = memory_stats;
      return percent(limit === 0 ? 0 : (memoryInUse(memory_stats) / limit) * 100);
    }),
    NetIO: figure(({ networks }) => {
      const all = Object.values(networks ?? {});
      return pair(sum(all.map(({ rx_bytes }) => rx_bytes)), sum(all.map(({ tx_bytes }) => tx_bytes)));
    }),
    BlockIO: figure(({ blkio_stats }) => {
      const entries = blkio_stats.io_service_bytes_recursive ?? [];
      const of = (letter: string) =>
        sum(entries.filter(({ op }) => op.toLowerCase().startsWith(letter)).map(({ value }) => value));
      return pair(of("r"), of("w"));
    }),
    PIDs: figure(({ pids_stats }) => String(pids_stats.current ?? 0)),
  });
}

/** Of one CPU: a container that keeps two busy has 200. */
function cpuPercent(before: CpuStats, now: CpuStats): number {
  const used = now.cpu_usage.total_usage - before.cpu_usage.total_usage;
  const passed = (now.system_cpu_usage ?? 0) - (before.system_cpu_usage ?? 0);
  const cpus = now.online_cpus || (now.cpu_usage.percpu_usage?.length ?? 0);
  return passed > 0 && used > 0 ? (used / passed) * cpus * 100 : 0;
}

/** Without the part of the page cache that can go at any time (cgroup v1: of the whole subtree). */
function memoryInUse({ usage = 0, stats }: ContainerStats["memory_stats"]): number {
  const total = stats?.["total_inactive_file"];
  if (total !== undefined && total < usage) return usage - total;
  const inactive = stats?.["inactive_file"] ?? 0;
  return inactive < usage ? usage - inactive : usage;
}

function percent(value: number): string {
  return `${value.toFixed(2)}%`;
}

function pair(a: number, b: number): string {
  return `${humanSize(a, 3)} / ${humanSize(b, 3)}`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
