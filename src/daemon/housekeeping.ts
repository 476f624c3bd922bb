/** Keeps the daemon small: garbage goes while requests come, and memory back to the kernel once they have stopped. */
import { type OwnMemory, ownMemory, releaseProgramText } from "#linux/memory.ts";

/** Between two looks at memory while requests come. Milliseconds. */
const PERIOD = 250;
/** Growth at which garbage goes although requests come, which wait some 10 ms for it. Bytes. */
const LARGE_GROWTH = 5 * 1024 * 1024;
/** But only so long after the first of them or the last time: a short burst is not held up. Milliseconds. */
const SPELL = 2000;
/** Growth at which it goes in a pause, and how long that is. */
const SMALL_GROWTH = 2 * 1024 * 1024;
const PAUSE = 1000;
/** Compiled code goes too after this: long enough that somebody who types commands never waits for it. Milliseconds. */
const QUIET = 10_000;
/** The program's pages go after this: getting them back costs the next `run` some 20 ms. */
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
  readonly #memory: OwnMemory;
  readonly #stages: readonly { readonly after: number; readonly work: () => void }[];
  #last = 0;
  #timer: Timer | undefined;
  #stage = 0;
  /** The least that was resident since garbage went. */
  #floor = Number.POSITIVE_INFINITY;
  /** When requests began to come, or garbage went after that. */
  #spell = 0;

  constructor(sleeper: Sleeper, memory: OwnMemory = ownMemory) {
    this.#sleeper = sleeper;
    this.#memory = memory;
    this.#stages = [
      { after: PAUSE, work: () => this.#collect(SMALL_GROWTH) },
      { after: QUIET, work: () => this.#shrink() },
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
    this.#sleeper.wake();
    if (this.#timer !== undefined && this.#stage === 0) return;
    // The timer waits for a later stage, which may be minutes away.
    clearTimeout(this.#timer);
    this.#stage = 0;
    this.#spell = this.#last;
    this.#grown();
    this.#wait();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #wait(): void {
    const stage = this.#stages[this.#stage];
    this.#timer = undefined;
    if (stage === undefined) return;
    const left = this.#last + stage.after - performance.now();
    this.#timer = setTimeout(() => this.#look(), Math.max(this.#stage === 0 ? Math.min(left, PERIOD) : left, 1));
    this.#timer.unref();
  }

  /** Requests only note their time: whether it has been quiet is seen here. */
  #look(): void {
    const stage = this.#stages[this.#stage];
    if (stage !== undefined && performance.now() - this.#last >= stage.after) {
      stage.work();
      this.#stage++;
    } else this.#collect(performance.now() - this.#spell < SPELL ? Number.POSITIVE_INFINITY : LARGE_GROWTH);
    this.#wait();
  }

  #grown(): number {
    const resident = this.#memory.resident();
    this.#floor = Math.min(this.#floor, resident);
    return resident - this.#floor;
  }

  #collect(growth: number): void {
    if (this.#grown() < growth) return;
    this.#memory.collect();
    this.#spell = performance.now();
    // The allocator gives pages back a little later: what remains is seen at the next look.
    this.#floor = Number.POSITIVE_INFINITY;
  }

  #shrink(): void {
    this.#memory.shrink();
    this.#floor = Number.POSITIVE_INFINITY;
  }

  #fallAsleep(): void {
    this.#sleeper.sleep();
    releaseProgramText();
  }
}
