/** When a probe has taken too long. */
import { statSync } from "node:fs";
import { LONGEST_TIMER } from "#lib/time.ts";

/** Milliseconds for the runtime to start the probe, which are no part of the probe's own time. */
const START_TIMEOUT = 30_000;
/** How often a late runtime is looked after, in milliseconds. */
const LOOK = 100;

/** What took too long: the runtime to start the probe, or the probe. */
export type Lateness = "start" | "run";

/** Milliseconds since the epoch at which the runtime had the process ready; undefined before. */
export function startOf(pidFile: string): number | undefined {
  return statSync(pidFile, { throwIfNoEntry: false })?.mtimeMs;
}

/** Counts a probe's time from its own start on, however long the runtime takes to come to that. */
export class Deadline {
  readonly #pidFile: string;
  readonly #timeout: number;
  readonly #startTimeout: number;
  #timer: Timer | undefined;
  /** By the clock that nobody sets, as `#until`. */
  #began = 0;
  /** Undefined until the probe was seen to run. */
  #until: number | undefined;
  passed: Lateness | undefined;

  /** Both times in milliseconds. */
  constructor(pidFile: string, timeout: number, startTimeout = START_TIMEOUT) {
    this.#pidFile = pidFile;
    this.#timeout = timeout;
    this.#startTimeout = startTimeout;
  }

  /** Calls `late` once, unless `end` is called before. */
  start(late: () => void): void {
    this.#began = performance.now();
    this.#arm(Math.min(this.#timeout, this.#startTimeout), late);
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  #arm(delay: number, late: () => void): void {
    const look = () => {
      const left = this.#left();
      if (left > 0) return this.#arm(left, late);
      this.passed = this.#until === undefined ? "start" : "run";
      late();
    };
    this.#timer = setTimeout(look, Math.min(delay, LONGEST_TIMER)).unref();
  }

  /** Milliseconds until it is worth to look again. */
  #left(): number {
    const at = performance.now();
    if (this.#until === undefined) {
      const started = startOf(this.#pidFile);
      if (started === undefined) return at - this.#began < this.#startTimeout ? LOOK : 0;
      const ran = Math.min(Math.max(Date.now() - started, 0), at - this.#began);
      this.#until = at - ran + this.#timeout;
    }
    return this.#until - at;
  }
}
