/** Keeps logs within their bounds while containers write them: sees them grow, rotates, and removes what is too much. */
import { statSync } from "node:fs";
import { errorMessage } from "#lib/errors.ts";
import { AsyncLock } from "#lib/lock.ts";
import type { Logger } from "#lib/log.ts";
import type { Inotify } from "#linux/inotify.ts";
import { enforceBounds, type LogBounds } from "./bounds.ts";
import { liveInode, numberLive, prepareNext, removeHalves, takePrepared } from "./segments.ts";

/** A log that a monitor writes. */
export interface WrittenLog {
  path: string;
  bounds: LogBounds;
  /** Has the monitor go on in the prepared file. False where it cannot be told now; throws where it is gone. */
  reopen: () => boolean;
}

/** Bytes per millisecond that a monitor can write at most, by measurement and with room to spare. */
const FASTEST = 200_000;
/** Milliseconds between two looks at a log that may be full by the second one. */
const SOONEST = 25;
const LATEST = 500;
/** Milliseconds after a rotation that failed. */
const RETRY = 5000;
/** Milliseconds after which a log that did not grow rests. */
const RESTING = 1000;

/**
 * A log that does not grow costs nothing: the kernel tells of its next line, and it is looked at from then on until it
 * rests again, the oftener the less room it has. It may outgrow its size by what is written in 25 ms.
 */
export class LogKeeper implements Disposable {
  readonly #changes: Inotify;
  readonly #log: Logger;
  readonly #kept = new Map<string, Kept>();

  constructor(changes: Inotify, log: Logger) {
    this.#changes = changes;
    this.#log = log;
  }

  /** From the begin of a run, or of this daemon, on. The file is there. */
  watch(id: string, log: WrittenLog): void {
    this.#kept.get(id)?.[Symbol.dispose]();
    this.#kept.set(id, new Kept(log, this.#changes, (error) => this.#failed(log.path, error)));
  }

  /** The monitor writes no more. Settles when the log is in bounds; never rejects. */
  async finish(id: string, path: string, bounds: LogBounds): Promise<void> {
    const kept = this.#kept.get(id);
    this.#kept.delete(id);
    kept?.[Symbol.dispose]();
    await kept?.idle();
    await settleLog(path, bounds).catch((error: unknown) => this.#failed(path, error));
  }

  [Symbol.dispose](): void {
    for (const kept of this.#kept.values()) kept[Symbol.dispose]();
    this.#kept.clear();
  }

  #failed(path: string, error: unknown): void {
    this.#log.error({ path, error: errorMessage(error) }, "cannot keep a log within its bounds");
  }
}

/** Brings a log that nobody writes into its bounds, whatever state a daemon that was killed left it in. */
export async function settleLog(path: string, bounds: LogBounds): Promise<void> {
  const size = sizeOf(path);
  if (size === undefined) return;
  removeHalves(path);
  if (size > bounds.maxSize) {
    numberLive(path);
    prepareNext(path);
    takePrepared(path);
  }
  await enforceBounds(path, bounds);
}

class Kept implements Disposable {
  readonly #log: WrittenLog;
  readonly #changes: Inotify;
  readonly #failed: (error: unknown) => void;
  readonly #working = new AsyncLock();
  #enforcing = false;
  #watch: Disposable | undefined;
  #timer: Timer | undefined;
  /** Its last size, and when it had grown to that. */
  #seen: { size: number; time: number };
  /** File that the monitor was told to leave and has not left yet. */
  #leaving: bigint | undefined;
  #disposed = false;

  constructor(log: WrittenLog, changes: Inotify, failed: (error: unknown) => void) {
    this.#log = log;
    this.#changes = changes;
    this.#failed = failed;
    this.#seen = { size: sizeOf(log.path) ?? 0, time: performance.now() };
    this.#schedule(SOONEST, () => {
      // What an earlier daemon began is finished.
      removeHalves(log.path);
      void this.#enforce();
      this.#look();
    });
  }

  /** Settles when no work is under way. */
  async idle(): Promise<void> {
    using _ = await this.#working.acquire();
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    clearTimeout(this.#timer);
    this.#watch?.[Symbol.dispose]();
    this.#watch = undefined;
  }

  #schedule(delay: number, then = () => this.#look()): void {
    this.#timer = setTimeout(() => {
      try {
        then();
      } catch (error) {
        this.#failed(error);
      }
    }, delay).unref();
  }

  #look(): void {
    if (this.#disposed) return;
    const { path, bounds } = this.#log;
    if (this.#leaving !== undefined) {
      if (liveInode(path) === this.#leaving) return this.#schedule(SOONEST);
      this.#leaving = undefined;
      this.#seen = { size: 0, time: performance.now() };
      void this.#enforce();
    }
    const [size, time] = [sizeOf(path) ?? 0, performance.now()];
    if (size > bounds.maxSize) return this.#rotate();
    if (size !== this.#seen.size) this.#seen = { size, time };
    else if (time - this.#seen.time >= RESTING) return this.#rest(size);
    this.#schedule(Math.min(LATEST, Math.max(SOONEST, (bounds.maxSize - size) / FASTEST)));
  }

  #rotate(): void {
    const { path, reopen } = this.#log;
    // First, so that a failure (a full disk) is no end of looking.
    this.#schedule(RETRY);
    numberLive(path);
    prepareNext(path);
    const leaving = liveInode(path);
    if (reopen()) this.#leaving = leaving;
    clearTimeout(this.#timer);
    this.#schedule(SOONEST);
  }

  /** Looks again soon after the next line. */
  #rest(size: number): void {
    const wake = (): void => {
      this.#watch?.[Symbol.dispose]();
      this.#watch = undefined;
      if (!this.#disposed) this.#schedule(SOONEST);
    };
    this.#watch = this.#changes.watch(this.#log.path, wake);
    // It may have come before the kernel was asked.
    if (sizeOf(this.#log.path) !== size) wake();
  }

  async #enforce(): Promise<void> {
    if (this.#enforcing) return;
    this.#enforcing = true;
    using _ = await this.#working.acquire();
    this.#enforcing = false;
    try {
      await enforceBounds(this.#log.path, this.#log.bounds);
    } catch (error) {
      this.#failed(error);
    }
  }
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}
