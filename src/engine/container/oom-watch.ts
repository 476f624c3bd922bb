/** Learns from the monitor when the kernel killed for want of memory, in containers that live on as in those that do not. */
import { rmSync, statSync } from "node:fs";
import { basename } from "node:path";
import { monitorFiles } from "#engine/runtime/conmon.ts";
import { errorMessage } from "#lib/errors.ts";
import type { Container } from "./container.ts";
import { announce, type EngineContext, saveState } from "./context.ts";

/**
 * conmon makes a file in the bundle for each kill; it is taken away once it is told, so that the next one shows. A
 * daemon that dies in between leaves it to the next.
 */
export class OomWatch {
  readonly #context: EngineContext;
  readonly #watches = new Map<string, Disposable>();

  constructor(context: EngineContext) {
    this.#context = context;
  }

  /** From the start, or the adoption, of a run. */
  begin(container: Container): void {
    const bundle = this.#context.layout.bundle(container.id);
    const name = basename(monitorFiles.outOfMemory(bundle));
    try {
      const watch = this.#context.changes.watch(bundle, (changed) => {
        if (changed === name || changed === "") this.#look(container);
      });
      this.#watches.set(container.id, watch);
    } catch (error) {
      // The host's limit on watches: then it is told at the exit.
      this.#context.log.warn(
        { container: container.id, error: errorMessage(error) },
        "cannot watch for lack of memory",
      );
    }
    this.#look(container);
  }

  /** At the exit, before the bundle goes: `oomKilled` of the state is right afterwards. */
  end(container: Container): void {
    this.#watches.get(container.id)?.[Symbol.dispose]();
    this.#watches.delete(container.id);
    this.#look(container);
  }

  #look(container: Container): void {
    const file = monitorFiles.outOfMemory(this.#context.layout.bundle(container.id));
    if (statSync(file, { throwIfNoEntry: false }) === undefined) return;
    container.state.oomKilled = true;
    saveState(this.#context, container);
    rmSync(file, { force: true });
    announce(this.#context, container, "oom");
  }
}
