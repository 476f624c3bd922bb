/** Makes a daemon that has nothing to do small: returns memory to the kernel once the requests have stopped. */
import { releaseProgramText, trimLibraryHeap } from "#linux/memory.ts";

/** Garbage goes after this: long enough that somebody who types commands never waits for it. Milliseconds. */
const QUIET = 10_000;
/** Code goes after this: getting it back costs the next `run` some 20 ms. */
const ASLEEP = 300_000;

const stages = [
  { after: QUIET, work: collectGarbage },
  { after: ASLEEP, work: releaseProgramText },
] as const;

/** Does nothing, not even wake up, while nothing happens. */
export class Housekeeping implements Disposable {
  #last = 0;
  #timer: Timer | undefined;
  #stage = 0;

  /** The daemon is up: what only its start needed can go. */
  started(): void {
    releaseProgramText();
    this.touch();
  }

  /** Something was done: the clean-up comes when it has been quiet for a while. */
  touch(): void {
    this.#last = performance.now();
    this.#stage = 0;
    if (this.#timer === undefined) this.#wait();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #wait(): void {
    const stage = stages[this.#stage];
    this.#timer = undefined;
    if (stage === undefined) return;
    const left = this.#last + stage.after - performance.now();
    this.#timer = setTimeout(() => this.#look(), Math.max(left, 1));
    this.#timer.unref();
  }

  /** Requests only note their time: whether it has been quiet is seen here. */
  #look(): void {
    const stage = stages[this.#stage];
    if (stage !== undefined && performance.now() - this.#last >= stage.after) {
      stage.work();
      this.#stage++;
    }
    this.#wait();
  }
}

function collectGarbage(): void {
  Bun.gc(true);
  Bun.shrink();
  trimLibraryHeap();
}
