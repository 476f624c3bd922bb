/** Keeps a few sandboxes of the default bridge ready, so that starting a container waits for no namespace and no veth. */
import type { Logger } from "#lib/log.ts";

/** Containers start in bursts; making spares between them would slow the burst down. */
const IDLE_MS = 25;

/**
 * `make` is called in the background, one at a time, until `size` are ready; `dispose` for what nobody took.
 * A failure of `make` is logged and ends refilling until the next `take`.
 */
export class WarmPool<T> {
  readonly #size: number;
  readonly #make: () => Promise<T>;
  readonly #dispose: (spare: T) => Promise<void>;
  readonly #log: Logger;
  readonly #ready: T[] = [];
  #timer: Timer | undefined;
  #filling: Promise<void> | undefined;
  #closed = false;

  constructor(parts: { size: number; make: () => Promise<T>; dispose: (spare: T) => Promise<void>; log: Logger }) {
    this.#size = parts.size;
    this.#make = parts.make;
    this.#dispose = parts.dispose;
    this.#log = parts.log;
  }

  get ready(): number {
    return this.#ready.length;
  }

  /** Those that are ready. */
  all(): readonly T[] {
    return this.#ready;
  }

  /** Undefined where none is ready: then the caller makes its own. */
  take(): T | undefined {
    const spare = this.#ready.shift();
    this.refillSoon();
    return spare;
  }

  /** Refills once nobody has asked for a while. */
  refillSoon(): void {
    if (this.#closed || this.#size === 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#filling ??= this.#fill().finally(() => (this.#filling = undefined));
    }, IDLE_MS);
    this.#timer.unref();
  }

  /** Disposes of all spares, also of the one that is being made. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#filling;
    await Promise.all(this.#ready.splice(0).map(this.#dispose));
  }

  async #fill(): Promise<void> {
    try {
      while (this.#ready.length < this.#size && !this.#closed) this.#ready.push(await this.#make());
    } catch (error) {
      this.#log.warn({ error }, "cannot make a spare sandbox");
    }
  }
}
