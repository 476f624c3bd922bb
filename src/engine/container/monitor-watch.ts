/** Notices that the monitor of a running container died without a word: nothing else would ever tell of the exit then. */
import { findMonitor } from "#engine/runtime/monitors.ts";
import { errorMessage } from "#lib/errors.ts";
import { isAlive } from "#linux/process.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";

/** Milliseconds between two looks, some 20 µs per running container. The kernel tells only parents, and we are none. */
const PERIOD = 2000;

export class MonitorWatch implements Disposable {
  readonly #context: EngineContext;
  readonly #lost: (container: Container) => Promise<void>;
  readonly #watched = new Set<Container>();
  #timer: Timer | undefined;

  /** `lost` is called once for a container; its exit file is not there, and will not come. */
  constructor(context: EngineContext, lost: (container: Container) => Promise<void>) {
    this.#context = context;
    this.#lost = lost;
  }

  add(container: Container): void {
    this.#watched.add(container);
    this.#timer ??= setInterval(() => this.#look(), PERIOD).unref();
  }

  remove(container: Container): void {
    this.#watched.delete(container);
    if (this.#watched.size === 0) this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const { layout, exits, log } = this.#context;
    for (const container of this.#watched) {
      const { id, state } = container;
      if (!isAlive(state.pid, state.pidStartTime)) container.console.died();
      // In this order: a monitor leaves the exit file before it goes.
      if (findMonitor(layout.bundle(id)) !== undefined || exits.read(id) !== undefined) continue;
      this.remove(container);
      this.#lost(container).catch((error: unknown) => {
        log.error(
          { container: id, error: errorMessage(error) },
          "cannot book the exit of a container without a monitor",
        );
      });
    }
  }
}
