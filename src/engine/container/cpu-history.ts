/** Remembers what running containers had used a moment ago, so that nobody waits for a second look at their CPU time. */
import { cgroupPath } from "#engine/spec/build.ts";
import { now, parseTime } from "#lib/time.ts";
import type { CpuUsage, GroupUsageReader } from "#linux/cgroup-usage.ts";
import { systemCpuTime } from "#linux/cgroup-usage.ts";
import type { Container } from "./container.ts";
import type { ContainerStore } from "./store.ts";
import { isRunning } from "./record.ts";

/** CPU time of one container and of the whole host at one moment. */
export interface CpuSample {
  /** Nanoseconds since the epoch. */
  time: bigint;
  usage: CpuUsage;
  system: number;
}

/** Milliseconds between two looks at all running containers: 10 µs each on cgroup v2, 40 on v1. */
const PERIOD = 2000;
const SECOND = 1_000_000_000n;
/** The kernel counts the host's time in steps of 10 ms: a shorter span says nothing. */
const SHORTEST = SECOND / 10n;

interface Remembered {
  /** Of which run. */
  startedAt: string;
  samples: CpuSample[];
}

/**
 * Docker reads a container's CPU time when asked, and again a second later, to tell its use by the difference. This
 * reads it all the time that anybody uses the daemon and keeps two samples, so that an answer can look back over one to
 * three seconds at once.
 */
export class CpuHistory {
  readonly #containers: ContainerStore;
  readonly #reader: GroupUsageReader;
  readonly #cpus: number;
  #past = new Map<Container, Remembered>();
  #timer: Timer | undefined;

  /** `cpus` is the number of the host's. */
  constructor(containers: ContainerStore, reader: GroupUsageReader, cpus: number) {
    this.#containers = containers;
    this.#reader = reader;
    this.#cpus = cpus;
  }

  /** Looks, at once and from then on, unless it does already. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#look();
    this.#timer = setInterval(() => this.#look(), PERIOD).unref();
  }

  /** Looks no more, until `start`. Who asks soon after that waits a moment for something to compare with. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#past.clear();
  }

  /**
   * What to compare `sample` with: the state of one to three seconds before, or of the start of a run that is younger.
   * A number instead says how many milliseconds to wait for one that is worth comparing.
   */
  before(container: Container, sample: CpuSample): CpuSample | number {
    const { startedAt } = container.state;
    const known = this.#past.get(container);
    const candidates = [
      ...this.#birth(startedAt, sample),
      ...(known?.startedAt === startedAt ? known.samples : []),
    ].toSorted((a, b) => Number(a.time - b.time));
    const age = (past: CpuSample) => sample.time - past.time;
    const chosen = candidates.findLast((past) => age(past) >= SECOND) ?? candidates[0];
    if (chosen === undefined) {
      this.#remember(container, sample);
      return milliseconds(SHORTEST);
    }
    return age(chosen) >= SHORTEST ? chosen : milliseconds(SHORTEST - age(chosen));
  }

  /** A run begins with nothing used. What the host had used by then follows from the time: its CPUs never rest. */
  #birth(startedAt: string, { time, system }: CpuSample): CpuSample[] {
    const start = parseTime(startedAt) ?? 0n;
    const age = time - start;
    if (age < 0n || milliseconds(age) > PERIOD + 1000) return [];
    const usage = { total: 0, kernel: 0, user: 0, periods: 0, throttledPeriods: 0, throttledTime: 0 };
    return [{ time: start, usage, system: system - Number(age) * this.#cpus }];
  }

  #look(): void {
    const running = this.#containers.all().filter(({ state }) => isRunning(state));
    const past = this.#past;
    this.#past = new Map();
    if (running.length === 0) return;
    const system = systemCpuTime();
    const time = now();
    for (const container of running) {
      const known = past.get(container);
      if (known !== undefined) this.#past.set(container, known);
      const usage = this.#reader.cpu(cgroupPath(container.record.hostConfig.CgroupParent, container.id));
      if (usage !== undefined) this.#remember(container, { time, usage, system });
    }
  }

  #remember(container: Container, sample: CpuSample): void {
    const { startedAt } = container.state;
    const known = this.#past.get(container);
    const samples = known?.startedAt === startedAt ? known.samples.slice(-1) : [];
    this.#past.set(container, { startedAt, samples: [...samples, sample] });
  }
}

function milliseconds(nanoseconds: bigint): number {
  return Math.ceil(Number(nanoseconds) / 1e6);
}
