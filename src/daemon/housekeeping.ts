/** Makes a daemon that has nothing to do small: returns memory to the kernel once the requests have stopped. */
import { releaseProgramText, trimLibraryHeap } from "#linux/memory.ts";

/** Garbage goes after this: long enough that somebody who types commands never waits for it. Milliseconds. */
const QUIET = 10_000;
/** Code goes after this: getting it back costs the next `run` some 20 ms. */
const ASLEEP = 300_000;

/** Work that is done for those to come: nobody needs it while nobody comes. */
export interface Sleeper {
  sleep(): void;
  /** Also called where it does not sleep. */
  wake(): void;
}

/** Does nothing, not even wake up, while nothing happens. */
export class Housekeeping implements Disposable {
  readonly #sleeper: Sleeper;
  readonly #stages: readonly { readonly after: number; readonly work: () => void }[];
  #last = 0;
  #timer: Timer | undefined;
  #stage = 0;

  constructor(sleeper: Sleeper) {
    this.#sleeper = sleeper;
    this.#stages = [
      { after: QUIET, work: collectGarbage },
      { after: ASLEEP, work: () => this.#fallAsleep() },
    ];
  }

  /** The daemon is up: what only its start needed can go. */
  started(): void {
    releaseProgramText();
    this.touch();
  }

  /** Something was done: the clean-up comes when it has been quiet for a while. */
  touch(): void {
    this.#last = performance.now();
    this.#stage = 0;
    this.#sleeper.wake();
    if (this.#timer === undefined) this.#wait();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #wait(): void {
    const stage = this.#stages[this.#stage];
    this.#timer = undefined;
    if (stage === undefined) return;
    const left = this.#last + stage.after - performance.now();
    this.#timer = setTimeout(() => this.#look(), Math.max(left, 1));
    this.#timer.unref();
  }

  /** Requests only note their time: whether it has been quiet is seen here. */
  #look(): void {
    const stage = this.#stages[this.#stage];
    if (stage !== undefined && performance.now() - this.#last >= stage.after) {
      stage.work();
      this.#stage++;
    }
    this.#wait();
  }

  #fallAsleep(): void {
    this.#sleeper.sleep();
    releaseProgramText();
  }
}

function collectGarbage(): void {
  Bun.gc(true);
  Bun.shrink();
  trimLibraryHeap();
}
