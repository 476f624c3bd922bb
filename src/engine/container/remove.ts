/** Removes a container and everything that was made for it. */
import { rmSync } from "node:fs";
import { EngineError } from "#lib/errors.ts";
import type { Container } from "./container.ts";
import { announce, type EngineContext } from "./context.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { isRunning } from "./record.ts";

export interface RemoveOptions {
  force: boolean;
  /** Anonymous volumes too. */
  volumes: boolean;
}

/** Settles when the name is free and nothing runs; files go in the background. Throws "conflict" for a running one without force. */
export async function removeContainer(
  context: EngineContext,
  lifecycle: Lifecycle,
  container: Container,
  options: RemoveOptions,
): Promise<void> {
  if (container.removing) {
    throw new EngineError("conflict", `removal of container ${container.id} is already in progress`);
  }
  if (!options.force && (isRunning(container.state) || container.state.status === "restarting")) {
    const { status } = container.state;
    const remedy =
      status === "paused" ? " and must be unpaused first" : ": stop the container before removing or force remove";
    throw new EngineError("conflict", `cannot remove container "/${container.name}": container is ${status}${remedy}`);
  }
  container.removing = true;
  try {
    await lifecycle.killNow(container);
    using _ = await container.lock.acquire();
    await discard(context, container, options.volumes);
  } catch (error) {
    container.removing = false;
    throw error;
  }
}

/** The caller has seen to it that nothing runs. */
export async function discard(context: EngineContext, container: Container, volumes: boolean): Promise<void> {
  const { containers, networks, layout, snapshots, log } = context;
  const { id } = container;
  await networks.release(id);
  // The row goes first: what a crash leaves behind it is unowned, and the next start takes it away.
  containers.remove(container);
  context.volumes.release(id, volumes);
  announce(context, container, "destroy");
  container.waits.removed({ code: container.state.exitCode });
  container.cleanup = container.cleanup
    .then(async () => {
      rmSync(layout.container(id), { recursive: true, force: true });
      await snapshots.remove(id);
      // An image that was removed before its last container left its layers to this snapshot.
      if (context.images.find(container.record.imageId) === undefined) await context.images.collectGarbage();
    })
    .catch((error: unknown) => {
      log.error({ container: id, error: String(error) }, "cannot remove the files of a container");
    });
}
