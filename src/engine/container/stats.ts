/** What a container uses: `docker stats`. */
import { totalmem } from "node:os";
import type { BlkioStatEntry, ContainerStats, CpuStats } from "#api/types/container-stats.ts";
import type { ContainerStatsQuery } from "#api/types/query.ts";
import type { InterfaceCounters } from "#engine/network/types.ts";
import { cgroupPath } from "#engine/spec/build.ts";
import { formatTime, NEVER, now } from "#lib/time.ts";
import type { CpuUsage, GroupUsage, GroupUsageReader } from "#linux/cgroup-usage.ts";
import { systemCpuTime } from "#linux/cgroup-usage.ts";
import { groupUsageReader } from "#linux/cgroup-usage-reader.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { CpuHistory, type CpuSample } from "./cpu-history.ts";
import { isRunning } from "./record.ts";

/** Milliseconds between two samples of a stream. */
const PERIOD = 1000;

interface Look extends CpuSample {
  group: GroupUsage;
}

/** `look` is undefined where nothing runs; `before` is from the history. */
interface Seen {
  look: Look | undefined;
  before?: CpuSample;
}

/** Reads usage for whoever asks; `history` is the only thing that runs by itself. */
export class Statistics {
  readonly #context: EngineContext;
  readonly #reader: GroupUsageReader;
  readonly #history: CpuHistory;

  constructor(context: EngineContext) {
    this.#context = context;
    this.#reader = groupUsageReader(context.host.cgroup);
    this.#history = new CpuHistory(context.containers, this.#reader, context.host.cpus);
  }

  /** Nobody uses the daemon: nothing runs by itself until `wake`. */
  sleep(): void {
    this.#history.stop();
  }

  /** Somebody does, and may ask. */
  wake(): void {
    this.#history.start();
  }

  /**
   * One sample, or one each second until `signal` or the container's removal. A stopped container gives empty ones.
   * All but a one-shot sample can be compared with the `precpu_stats` that they carry, the first one too.
   */
  async *samples(
    container: Container,
    { stream, oneShot }: ContainerStatsQuery,
    signal: AbortSignal,
  ): AsyncGenerator<ContainerStats> {
    let last: Look | undefined;
    for (let due = performance.now() + PERIOD; ; due += PERIOD) {
      const seen: Seen =
        last === undefined && !oneShot ? await this.#first(container, signal) : { look: this.#look(container) };
      const before = seen.before ?? last;
      yield this.#sample(container, seen.look, before);
      last = seen.look;
      if (!stream || !(await slept(Math.max(0, due - performance.now()), signal))) return;
      if (this.#context.containers.find(container.id) !== container || container.removing) return;
    }
  }

  /** Waits for something to compare with, if need be: a run that has only begun has nothing yet. */
  async #first(container: Container, signal: AbortSignal): Promise<Seen> {
    for (;;) {
      const look = this.#look(container);
      if (look === undefined) return { look };
      const before = this.#history.before(container, look);
      if (typeof before === "object") return { look, before };
      if (!(await slept(before, signal))) return { look };
    }
  }

  /** Undefined where nothing runs. */
  #look(container: Container): Look | undefined {
    if (!isRunning(container.state)) return undefined;
    const system = systemCpuTime();
    const group = this.#reader.all(cgroupPath(container.record.hostConfig.CgroupParent, container.id));
    return group === undefined ? undefined : { time: now(), usage: group.cpu, system, group };
  }

  #sample(container: Container, look: Look | undefined, before: CpuSample | undefined): ContainerStats {
    const { networks, host } = this.#context;
    const counters = look === undefined ? [] : Object.entries(networks.counters(container.id));
    return {
      name: `/${container.name}`,
      id: container.id,
      read: look === undefined ? NEVER : formatTime(look.time),
      preread: look === undefined || before === undefined ? NEVER : formatTime(before.time),
      pids_stats: pidsStats(look?.group, host.cgroup.mode === "v2"),
      blkio_stats: blockStats(look?.group),
      num_procs: 0,
      storage_stats: {},
      cpu_stats: cpuStats(look, host.cpus),
      precpu_stats: cpuStats(look === undefined ? undefined : before, host.cpus),
      memory_stats: memoryStats(look?.group),
      ...(counters.length > 0 && { networks: Object.fromEntries(counters.map(([name, of]) => [name, traffic(of)])) }),
    };
  }
}

/** False where the signal came first. */
async function slept(time: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, time);
  const end = () => resolve();
  signal.addEventListener("abort", end, { once: true });
  await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", end);
  return !signal.aborted;
}

const NOTHING: CpuUsage = { total: 0, kernel: 0, user: 0, periods: 0, throttledPeriods: 0, throttledTime: 0 };

function cpuStats(sample: CpuSample | undefined, cpus: number): CpuStats {
  const usage = sample?.usage ?? NOTHING;
  return {
    cpu_usage: {
      total_usage: usage.total,
      ...(usage.perCpu !== undefined && { percpu_usage: usage.perCpu }),
      usage_in_kernelmode: usage.kernel,
      usage_in_usermode: usage.user,
    },
    ...(sample !== undefined && { system_cpu_usage: sample.system, online_cpus: cpus }),
    throttling_data: {
      periods: usage.periods,
      throttled_periods: usage.throttledPeriods,
      throttled_time: usage.throttledTime,
    },
  };
}

function pidsStats(group: GroupUsage | undefined, unified: boolean): ContainerStats["pids_stats"] {
  const pids = group?.pids;
  if (pids === undefined) return {};
  const none = unified ? { limit: 2n ** 64n - 1n } : {};
  return { current: pids.current, ...(pids.limit === Infinity ? none : { limit: pids.limit }) };
}

function memoryStats(group: GroupUsage | undefined): ContainerStats["memory_stats"] {
  const memory = group?.memory;
  if (memory === undefined) return {};
  return {
    usage: memory.usage,
    ...(memory.highest !== undefined && { max_usage: memory.highest }),
    stats: memory.details,
    ...(memory.failures > 0 && { failcnt: memory.failures }),
    limit: Math.min(memory.limit, totalmem()),
  };
}

function blockStats(group: GroupUsage | undefined): ContainerStats["blkio_stats"] {
  const { bytes, operations } = group?.blockIO ?? {};
  // What CFQ counted has no lists in the throttle's figures: empty where the operations are known, as Docker has them.
  const rest: BlkioStatEntry[] | null = operations === undefined ? null : [];
  return {
    io_service_bytes_recursive: bytes ?? null,
    io_serviced_recursive: operations ?? null,
    io_queue_recursive: rest,
    io_service_time_recursive: rest,
    io_wait_time_recursive: rest,
    io_merged_recursive: rest,
    io_time_recursive: rest,
    sectors_recursive: rest,
  };
}

function traffic(counters: InterfaceCounters): NonNullable<ContainerStats["networks"]>[string] {
  return {
    rx_bytes: counters.rxBytes,
    rx_packets: counters.rxPackets,
    rx_errors: counters.rxErrors,
    rx_dropped: counters.rxDropped,
    tx_bytes: counters.txBytes,
    tx_packets: counters.txPackets,
    tx_errors: counters.txErrors,
    tx_dropped: counters.txDropped,
  };
}
