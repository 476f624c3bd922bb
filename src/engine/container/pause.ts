/** Freezes a container's processes and lets them run again. */
import { EngineError } from "#lib/errors.ts";
import type { Container } from "./container.ts";
import { announce, type EngineContext } from "./context.ts";

/** Throws "conflict" where it is not running, or paused already. */
export async function pauseContainer(context: EngineContext, container: Container): Promise<void> {
  using _ = await container.lock.acquire();
  if (container.state.status === "paused") {
    throw new EngineError("conflict", `Container ${container.id} is already paused`);
  }
  if (container.state.status === "restarting") {
    throw new EngineError("conflict", `Container ${container.id} is restarting, wait until the container is running`);
  }
  if (container.state.status !== "running") {
    throw new EngineError("conflict", `Container ${container.id} is not running`);
  }
  await context.runtime.pause(container.id);
  container.state.status = "paused";
  container.healthMonitor?.unwatch();
  context.containers.saveState(container);
  announce(context, container, "pause");
}

/** Throws "conflict" where it is not paused. */
export async function unpauseContainer(context: EngineContext, container: Container): Promise<void> {
  using _ = await container.lock.acquire();
  if (container.state.status !== "paused") {
    throw new EngineError("conflict", `Container ${container.id} is not paused`);
  }
  await context.runtime.resume(container.id);
  container.state.status = "running";
  container.healthMonitor?.watch();
  context.containers.saveState(container);
  announce(context, container, "unpause");
}
