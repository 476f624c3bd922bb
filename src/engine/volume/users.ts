/** The containers that use a volume, kept from starting, stopping and changing while something is done to it. */
import type { Container } from "#engine/container/container.ts";
import { pauseContainer, unpauseContainer } from "#engine/container/pause.ts";
import { isRunning } from "#engine/container/record.ts";
import { EngineError, errorMessage } from "#lib/errors.ts";
import type { CareContext } from "./care-context.ts";

export interface LockedUsers extends Disposable {
  readonly containers: readonly Container[];
}

/** All of them: as long as the caller does not wait for anything, no others come. */
export async function lockUsers(context: CareContext, volume: string): Promise<LockedUsers> {
  for (;;) {
    using locks = new DisposableStack();
    // In one order, so that two who want several do not wait for each other.
    const containers = usersOf(context, volume).toSorted((a, b) => (a.id < b.id ? -1 : 1));
    for (const container of containers) locks.use(await container.lock.acquire());
    const now = usersOf(context, volume);
    if (now.length !== containers.length || !now.every((container) => containers.includes(container))) continue;
    const held = locks.move();
    return { containers, [Symbol.dispose]: () => held.dispose() };
  }
}

/** Throws "conflict" where one of them runs; `doing` opens the message. */
export function assertStopped({ containers }: Pick<LockedUsers, "containers">, doing: string): void {
  const running = containers.filter(({ state }) => isRunning(state)).map(({ id }) => id);
  if (running.length > 0) {
    throw new EngineError("conflict", `${doing}: volume is in use by running containers - [${running.join(", ")}]`);
  }
}

/** Pauses those that run, until it is disposed of; a daemon that dies meanwhile leaves it to the next one. */
export async function pauseUsers(context: CareContext, volume: string): Promise<AsyncDisposable> {
  await using undo = new AsyncDisposableStack();
  for (const container of usersOf(context, volume)) {
    if (container.state.status !== "running") continue;
    context.journal.pausing(container.id);
    undo.defer(() => unpause(context, container));
    try {
      await pauseContainer(context.engine, container);
    } catch (error) {
      // It has ended, or somebody else paused it.
      if (container.state.status === "running") throw error;
      context.journal.unpaused(container.id);
    }
  }
  return undo.move();
}

/** Lets those run again whose pause an earlier daemon did not end. When containers are adopted. */
export async function endPauses(context: CareContext): Promise<void> {
  for (const id of context.journal.pauses()) {
    const container = context.containers.find(id);
    if (container === undefined) context.journal.unpaused(id);
    else await unpause(context, container);
  }
}

/** Only where the pause is ours still. Never rejects. */
async function unpause({ engine, journal }: CareContext, container: Container): Promise<void> {
  if (!journal.pauses().includes(container.id)) return;
  try {
    if (container.state.status === "paused") await unpauseContainer(engine, container);
    journal.unpaused(container.id);
  } catch (error) {
    engine.log.error({ container: container.id, error: errorMessage(error) }, "cannot unpause a container");
  }
}

function usersOf({ volumes, containers }: CareContext, volume: string): Container[] {
  return volumes.users(volume).flatMap((id) => containers.find(id) ?? []);
}
