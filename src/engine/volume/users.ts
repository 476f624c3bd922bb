/** The containers that use a volume, kept from starting, stopping and changing while something is done to it. */
import type { Container } from "#engine/container/container.ts";
import { isRunning } from "#engine/container/record.ts";
import { EngineError } from "#lib/errors.ts";
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

/** Those that are known: not ones that are being made. */
export function usersOf({ volumes, containers }: CareContext, volume: string): Container[] {
  return volumes.users(volume).flatMap((id) => containers.find(id) ?? []);
}
