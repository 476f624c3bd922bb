/** Holds the containers that use a volume still while all of it is read. */
import type { Container } from "#engine/container/container.ts";
import { pauseContainer, unpauseContainer } from "#engine/container/pause.ts";
import { errorMessage } from "#lib/errors.ts";
import type { CareContext } from "./care-context.ts";
import { usersOf } from "./users.ts";

interface Pause {
  holders: number;
  /** Settles when the container stands still. */
  readonly begun: Promise<void>;
}

/** A container that several hold still runs again when the last of them lets go. */
export class Pauses {
  readonly #context: CareContext;
  readonly #pauses = new Map<string, Pause>();
  /** Settles when the container runs again, for those that are being let go. */
  readonly #ending = new Map<string, Promise<void>>();

  constructor(context: CareContext) {
    this.#context = context;
  }

  /**
   * Pauses those that run, until it is disposed of; who was paused before stays so. A daemon that dies meanwhile leaves
   * it to the next one.
   */
  async hold(volume: string): Promise<AsyncDisposable> {
    await using undo = new AsyncDisposableStack();
    for (const container of usersOf(this.#context, volume)) {
      await this.#ending.get(container.id);
      const pause = this.#pauses.get(container.id);
      if (pause === undefined && container.state.status !== "running") continue;
      undo.defer(() => this.#release(container));
      await this.#hold(container);
    }
    return undo.move();
  }

  /** Lets those run again whose pause an earlier daemon did not end. When containers are adopted. */
  async recover(): Promise<void> {
    const { journal, containers } = this.#context;
    for (const id of journal.pauses()) {
      const container = containers.find(id);
      if (container === undefined) journal.unpaused(id);
      else await this.#unpause(container);
    }
  }

  async #hold(container: Container): Promise<void> {
    let pause = this.#pauses.get(container.id);
    if (pause === undefined) {
      pause = { holders: 0, begun: this.#pause(container) };
      this.#pauses.set(container.id, pause);
    }
    pause.holders++;
    await pause.begun;
  }

  async #release(container: Container): Promise<void> {
    const pause = this.#pauses.get(container.id);
    if (pause === undefined || --pause.holders > 0) return;
    this.#pauses.delete(container.id);
    const ending = this.#unpause(container);
    this.#ending.set(container.id, ending);
    await ending;
    if (this.#ending.get(container.id) === ending) this.#ending.delete(container.id);
  }

  async #pause(container: Container): Promise<void> {
    this.#context.journal.pausing(container.id);
    try {
      await pauseContainer(this.#context.engine, container);
    } catch (error) {
      this.#context.journal.unpaused(container.id);
      // It has ended, or somebody else paused it: then it stands still too.
      if (container.state.status === "running") throw error;
    }
  }

  /** Only where the pause is ours still. Never rejects. */
  async #unpause(container: Container): Promise<void> {
    const { engine, journal } = this.#context;
    if (!journal.pauses().includes(container.id)) return;
    try {
      if (container.state.status === "paused") await unpauseContainer(engine, container);
      journal.unpaused(container.id);
    } catch (error) {
      engine.log.error({ container: container.id, error: errorMessage(error) }, "cannot unpause a container");
    }
  }
}
