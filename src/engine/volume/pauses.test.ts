import { expect, test } from "bun:test";
import { AsyncLock } from "#lib/lock.ts";
import { silentLogger } from "#lib/log.ts";
import type { CareContext } from "./care-context.ts";
import { Pauses } from "./pauses.ts";

/** One container that uses each volume; `resume` waits for `resumed`. */
function oneContainer(resumed: Promise<void>) {
  const container = {
    id: "c1",
    lock: new AsyncLock(),
    state: { status: "running" },
    record: { config: {} },
    name: "c",
  };
  const paused = new Set<string>();
  const engine = {
    log: silentLogger,
    runtime: { pause: async () => {}, resume: () => resumed },
    containers: { saveState: () => {} },
    events: { emit: () => {} },
    emit: () => {},
  };
  const context = {
    engine,
    volumes: { users: () => ["c1"] },
    containers: { find: () => container },
    journal: {
      pausing: (id: string) => paused.add(id),
      unpaused: (id: string) => paused.delete(id),
      pauses: () => [...paused],
    },
  };
  return { pauses: new Pauses(context as unknown as CareContext), state: container.state };
}

test("who comes while a container is about to run again holds it still too", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { pauses, state } = oneContainer(promise);
  const first = await pauses.hold("v");
  expect(state.status).toBe("paused");
  const over = first[Symbol.asyncDispose]();
  const second = pauses.hold("v");
  resolve();
  await over;
  await using _ = await second;
  expect(state.status).toBe("paused");
});
