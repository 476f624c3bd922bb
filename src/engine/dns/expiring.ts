/** Things that end after the same time, counted from when each was last touched. */
export class Expiring<T> {
  readonly #patience: number;
  /** In the order in which they end. */
  readonly #deadlines = new Map<T, number>();

  /** In milliseconds. */
  constructor(patience: number) {
    this.#patience = patience;
  }

  touch(item: T): void {
    this.#deadlines.delete(item);
    this.#deadlines.set(item, performance.now() + this.#patience);
  }

  delete(item: T): void {
    this.#deadlines.delete(item);
  }

  /** Milliseconds until the first ends; Infinity where there is none. */
  get remaining(): number {
    const next = this.#deadlines.values().next().value;
    return next === undefined ? Number.POSITIVE_INFINITY : Math.max(0, next - performance.now());
  }

  /** Takes out what has ended. */
  expired(): T[] {
    const now = performance.now();
    const ended: T[] = [];
    for (const [item, deadline] of this.#deadlines) {
      if (deadline > now) break;
      ended.push(item);
    }
    for (const item of ended) this.#deadlines.delete(item);
    return ended;
  }
}
