/** Ends a start whose monitor or runtime hangs: until it is over, nobody else can do anything to the container. */
import { killMonitors } from "#engine/runtime/monitors.ts";
import { errorMessage } from "#lib/errors.ts";
import type { EngineContext } from "./context.ts";

/** Dispose of it when the process runs, or is known not to. */
export class StartLimit implements Disposable {
  readonly #timer: Timer;
  #exceeded = false;

  constructor({ tuning, layout, log }: EngineContext, id: string) {
    this.#timer = setTimeout(() => {
      this.#exceeded = true;
      killMonitors(layout.runtimeRoot, new Set([id])).catch((error: unknown) => {
        log.error({ container: id, error: errorMessage(error) }, "cannot end a start that hangs");
      });
    }, tuning().startTimeout * 1000);
  }

  /** The start fails because it took too long. */
  get exceeded(): boolean {
    return this.#exceeded;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
