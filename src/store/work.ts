/** Lets callers who want the same thing share one run of the work, and bounds how much runs at once. */

interface Run<T> {
  readonly result: Promise<T>;
  readonly stop: AbortController;
  waiting: number;
}

/** Work by key: whoever asks while it runs waits for the same result. It is aborted when nobody waits any more. */
export class SharedWork<T> {
  readonly #runs = new Map<string, Run<T>>();

  /** Rejects with the signal's reason for this caller alone; with the work's error for all. */
  async run(key: string, signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const run = this.#runs.get(key) ?? this.#start(key, work);
    run.waiting++;
    const { promise: left, reject } = Promise.withResolvers<never>();
    const leave = () => reject(signal?.reason);
    signal?.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([run.result, left]);
    } finally {
      signal?.removeEventListener("abort", leave);
      if (--run.waiting === 0) {
        // A caller who comes while this run dies must not get its abort.
        if (this.#runs.get(key) === run) this.#runs.delete(key);
        run.stop.abort();
      }
    }
  }

  /** Resolves when nothing runs under `key`, however it ended. */
  async settled(key: string): Promise<void> {
    await this.#runs.get(key)?.result.catch(() => {});
  }

  /** Ends all that runs. */
  abort(reason: Error): void {
    for (const run of this.#runs.values()) run.stop.abort(reason);
  }

  #start(key: string, work: (signal: AbortSignal) => Promise<T>): Run<T> {
    const stop = new AbortController();
    const run: Run<T> = { result: work(stop.signal), stop, waiting: 0 };
    run.result.catch(() => {}); // told to those who wait, if any are left
    this.#runs.set(key, run);
    return run;
  }
}

/** At most `count` holders at a time, first come first served. */
export class Slots {
  #free: number;
  readonly #queue: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async acquire(): Promise<Disposable> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#queue.push(resolve));
    return {
      [Symbol.dispose]: () => {
        const next = this.#queue.shift();
        if (next === undefined) this.#free++;
        else next();
      },
    };
  }
}
