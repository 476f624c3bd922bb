/** Watches a daemon's memory from outside, all the time: a peak between two looks at quiet moments is growth too. */
import { readdir } from "node:fs/promises";
import { errorMessage } from "#lib/errors.ts";

/** Between two samples. Milliseconds. */
const PERIOD = 100;
/** The daemon collects garbage after one quiet second and drops its compiled code after ten. Milliseconds. */
const PAUSE = 4000;

export interface Held {
  /** Resident, in KiB. */
  readonly memory: number;
  /** Open files. */
  readonly files: number;
}

export class MemoryWatch implements Disposable {
  readonly #pid: number;
  readonly #timer: Timer;
  #peak = 0;
  #failure: string | undefined;

  constructor(pid: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => void this.#sample(), PERIOD);
  }

  /** The most that was resident since the start or `restart`, in KiB. Throws where it could not be watched. */
  get peak(): number {
    if (this.#failure !== undefined) throw new Error(`cannot watch the daemon's memory: ${this.#failure}`);
    return this.#peak;
  }

  restart(): void {
    this.#peak = 0;
  }

  /** What the daemon holds in a pause: its code is compiled, and garbage is gone. */
  async pause(): Promise<Held> {
    await Bun.sleep(PAUSE);
    const files = (await readdir(`/proc/${this.#pid}/fd`)).length;
    return { memory: await this.#resident(), files };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #sample(): Promise<void> {
    try {
      this.#peak = Math.max(this.#peak, await this.#resident());
    } catch (error) {
      this.#failure ??= errorMessage(error);
    }
  }

  async #resident(): Promise<number> {
    const status = await Bun.file(`/proc/${this.#pid}/status`).text();
    const [, kibibytes] = /^VmRSS:\s+(\d+)/m.exec(status) ?? [];
    if (kibibytes === undefined) throw new Error("it has ended");
    return Number(kibibytes);
  }
}

export function mebibytes(kibibytes: number): string {
  return `${(kibibytes / 1024).toFixed(1)} MiB`;
}
