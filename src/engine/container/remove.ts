/** Removes a container and everything that was made for it. */
import { existsSync, rmSync } from "node:fs";
import { EngineError } from "#lib/errors.ts";
import type { Container } from "./container.ts";
import { announce, type EngineContext } from "./context.ts";
import { dropViews } from "./image-mounts.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { isRunning } from "./record.ts";
import { removeRemains } from "./remains.ts";
import { vendorHooks } from "./vendor-hooks.ts";

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
  if (!options.force) assertStopped(container);
  container.removing = true;
  try {
    for (;;) {
      if (options.force) await lifecycle.killNow(container);
      using _ = await container.lock.acquire();
      // A start that was under way may have come to its end while we waited for it.
      if (!options.force) assertStopped(container);
      if (isRunning(container.state)) continue;
      await vendorHooks(container);
      await discard(context, container, options.volumes);
      return;
    }
  } catch (error) {
    container.removing = false;
    throw error;
  }
}

function assertStopped({ state, name }: Container): void {
  const { status } = state;
  if (!isRunning(state) && status !== "restarting") return;
  const remedy =
    status === "paused" ? " and must be unpaused first" : ": stop the container before removing or force remove";
  throw new EngineError("conflict", `cannot remove container "/${name}": container is ${status}${remedy}`);
}

/** The caller has seen to it that nothing runs. */
export async function discard(context: EngineContext, container: Container, volumes: boolean): Promise<void> {
  const { containers, networks, layout, snapshots, log } = context;
  const { id } = container;
  await networks.release(id);
  // The row goes before the files: what a crash leaves behind it is unowned, and the next start takes it away.
  context.volumes.release(id, volumes, () => containers.remove(container));
  announce(context, container, "destroy");
  container.waits.removed({ code: container.state.exitCode });
  container.cleanup = container.cleanup
    .then(async () => {
      // There is one where the clean-up after a run has failed.
      if (existsSync(layout.bundle(id))) await removeRemains(context, id);
      rmSync(layout.container(id), { recursive: true, force: true });
      await snapshots.remove(id);
      await dropViews(context, container.record.mounts);
      // An image that was removed before its last container left its layers to this snapshot.
      const { imageId, mounts } = container.record;
      const images = [imageId, ...mounts.flatMap(({ image }) => image?.id ?? [])];
      if (images.some((image) => context.images.find(image) === undefined)) await context.images.collectGarbage();
    })
    .catch((error: unknown) => {
      log.error({ container: id, error: String(error) }, "cannot remove the files of a container");
    });
  containers.leave(container.cleanup);
}
