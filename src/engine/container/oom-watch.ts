/** Learns when the kernel killed for want of memory, in containers that live on as in those that do not. */
import { rmSync, statSync } from "node:fs";
import { basename } from "node:path";
import { monitorFiles } from "#engine/runtime/conmon.ts";
import { cgroupPath } from "#engine/spec/build.ts";
import { errorMessage } from "#lib/errors.ts";
import { killsForMemory, memoryEvents } from "#linux/cgroup-oom.ts";
import type { Container } from "./container.ts";
import { announce, type EngineContext, saveState } from "./context.ts";

/**
 * On cgroup v1, conmon makes a file in the bundle for each kill; it is taken away once it is told, so that the next one
 * shows. A daemon that dies in between leaves it to the next. On v2, where some versions of conmon make it at the exit
 * only, the group's own counter says it; kills of a time without a daemon are told as one.
 */
export class OomWatch {
  readonly #context: EngineContext;
  readonly #watches = new Map<string, Disposable>();
  /** What the counters of running containers said when it was last told. */
  readonly #told = new Map<string, number>();

  constructor(context: EngineContext) {
    this.#context = context;
  }

  /** From the start, or the adoption, of a run. */
  begin(container: Container): void {
    const { id, state } = container;
    const bundle = this.#context.layout.bundle(id);
    const name = basename(monitorFiles.outOfMemory(bundle));
    const counter = this.#counter(container);
    if (counter !== undefined && state.oomKilled) this.#told.set(id, killsForMemory(counter) ?? 0);
    try {
      const watch =
        counter === undefined
          ? this.#context.changes.watch(bundle, (changed) => {
              if (changed === name || changed === "") this.#look(container);
            })
          : this.#context.changes.watch(counter, () => this.#look(container));
      this.#watches.set(id, watch);
    } catch (error) {
      // The host's limit on watches: then it is told at the exit.
      this.#context.log.warn({ container: id, error: errorMessage(error) }, "cannot watch for lack of memory");
    }
    this.#look(container);
  }

  /** At the exit, before the bundle goes: `oomKilled` of the state is right afterwards. */
  end(container: Container): void {
    this.#watches.get(container.id)?.[Symbol.dispose]();
    this.#watches.delete(container.id);
    this.#look(container);
    this.#told.delete(container.id);
  }

  #look(container: Container): void {
    const file = monitorFiles.outOfMemory(this.#context.layout.bundle(container.id));
    const hasFile = statSync(file, { throwIfNoEntry: false }) !== undefined;
    const counter = this.#counter(container);
    const kills = counter === undefined ? undefined : killsForMemory(counter);
    const told = this.#told.get(container.id) ?? 0;
    // Whoever cannot read the counter any more believes the file, unless it only says what was told.
    const isNew = kills === undefined ? hasFile && told === 0 : kills > told;
    if (isNew) {
      container.state.oomKilled = true;
      saveState(this.#context, container);
    }
    if (hasFile) rmSync(file, { force: true });
    if (!isNew) return;
    if (kills !== undefined) this.#told.set(container.id, kills);
    announce(this.#context, container, "oom");
  }

  /** The group's file that counts kills; undefined on cgroup v1. */
  #counter({ id, record }: Container): string | undefined {
    if (this.#context.host.cgroup.mode !== "v2") return undefined;
    return memoryEvents(cgroupPath(record.hostConfig.CgroupParent, id));
  }
}
