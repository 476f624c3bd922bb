/** Probes one running container time and again. */
import type { Health, HealthcheckResult } from "#api/types/container.ts";
import { errorMessage } from "#lib/errors.ts";
import { formatTime, LONGEST_TIMER } from "#lib/time.ts";
import type { HealthPlan } from "./plan.ts";
import { probeDelay, probed, resumedDelay, unwatched } from "./state.ts";

/** Time as the monitor sees it; tests have their own. */
export interface Clock {
  /** Nanoseconds since the epoch. */
  now(): bigint;
  /** Calls `work` in so many milliseconds; what it gives cancels that. */
  after(milliseconds: number, work: () => void): () => void;
}

export interface ProbeOutcome {
  exitCode: number;
  output: string;
}

export interface HealthSubject {
  plan: HealthPlan;
  /** Of the container, in nanoseconds since the epoch. */
  startedAt: bigint;
  health: Health;
  /**
   * Runs the check once. What it rejects with becomes a failed result. After `signal` its outcome counts for nothing:
   * it is to end soon.
   */
  probe(signal: AbortSignal): Promise<ProbeOutcome>;
  /** There is a new result. */
  probed(health: Health, before: Health): void;
  /** Nobody looks any more. */
  unwatched(health: Health): void;
}

/** One probe at a time; the interval runs from the end of one to the start of the next. */
export class HealthMonitor {
  readonly #subject: HealthSubject;
  readonly #clock: Clock;
  #health: Health;
  #cancelTimer: (() => void) | undefined;
  /** Undefined while nobody is to look. */
  #watching: AbortController | undefined;
  /** Never rejects. */
  #probing: Promise<void> = Promise.resolve();

  constructor(subject: HealthSubject, clock: Clock) {
    this.#subject = subject;
    this.#clock = clock;
    this.#health = subject.health;
  }

  /** Probes after a whole interval, and so on. Nothing happens where it does already. */
  watch(): void {
    if (this.#watching !== undefined) return;
    this.#watching = new AbortController();
    this.#schedule(probeDelay(this.#health, this.#subject.plan, this.#ran()), this.#watching.signal);
  }

  /** As `watch`, for a container that another daemon watched until now. `chance`: 0 to 1. */
  takeOver(chance: number): void {
    const { plan, startedAt } = this.#subject;
    this.#watching = new AbortController();
    this.#schedule(resumedDelay(this.#health, plan, startedAt, this.#clock.now(), chance), this.#watching.signal);
  }

  /** The container is paused or at its end: no probe any more until `watch`. */
  unwatch(): void {
    if (this.#watching === undefined) return;
    void this.close();
    this.#health = unwatched(this.#health);
    this.#subject.unwatched(this.#health);
  }

  /** Ends without a word on the health, as another daemon goes on with it. Settles when no probe runs. */
  close(): Promise<void> {
    this.#cancelTimer?.();
    this.#watching?.abort();
    this.#watching = undefined;
    return this.#probing;
  }

  #schedule(delay: number, signal: AbortSignal): void {
    this.#cancelTimer = this.#clock.after(Math.min(delay, LONGEST_TIMER), () => {
      this.#probing = this.#probe(signal);
    });
  }

  async #probe(signal: AbortSignal): Promise<void> {
    const { plan, startedAt } = this.#subject;
    const start = this.#clock.now();
    const outcome = await this.#subject
      .probe(signal)
      .catch((error: unknown): ProbeOutcome => ({ exitCode: -1, output: errorMessage(error) }));
    if (signal.aborted) return;
    const result: HealthcheckResult = {
      Start: formatTime(start),
      End: formatTime(this.#clock.now()),
      ExitCode: outcome.exitCode,
      Output: outcome.output,
    };
    const before = this.#health;
    this.#health = probed(before, plan, result, startedAt);
    this.#subject.probed(this.#health, before);
    // Whoever heard of the result may have ended the watch.
    if (!signal.aborted) this.#schedule(probeDelay(this.#health, plan, this.#ran()), signal);
  }

  #ran(): number {
    return Number(this.#clock.now() - this.#subject.startedAt) / 1e6;
  }
}
