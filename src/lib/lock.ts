/** Serialises work on one thing (a container, a reference) without blocking reads of it. */

/** A first-come first-served mutex. `using _ = await lock.acquire()` holds it to the end of the block. */
export class AsyncLock {
  #tail: Promise<void> = Promise.resolve();

  async acquire(): Promise<Disposable> {
    const before = this.#tail;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#tail = promise;
    await before;
    return { [Symbol.dispose]: () => resolve() };
  }
}

/** One AsyncLock per key, forgotten when nobody holds or awaits it. */
export class KeyedLocks {
  readonly #locks = new Map<string, { lock: AsyncLock; users: number }>();

  /** Whether somebody holds or awaits it. */
  isHeld(key: string): boolean {
    return this.#locks.has(key);
  }

  async acquire(key: string): Promise<Disposable> {
    let entry = this.#locks.get(key);
    if (entry === undefined) {
      entry = { lock: new AsyncLock(), users: 0 };
      this.#locks.set(key, entry);
    }
    entry.users++;
    const held = await entry.lock.acquire();
    const mine = entry;
    return {
      [Symbol.dispose]: () => {
        held[Symbol.dispose]();
        if (--mine.users === 0) this.#locks.delete(key);
      },
    };
  }
}
