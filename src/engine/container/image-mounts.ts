/** Snapshots that keep and show the images which a container mounts (`--mount type=image`). */
import type { ResolvedMount } from "#engine/volume/mount.ts";
import type { EngineContext } from "./context.ts";

/** Makes a snapshot for each image, and notes it in the mount. Returns the undo. */
export async function viewImages(
  { snapshots, layout }: EngineContext,
  id: string,
  mounts: readonly ResolvedMount[],
): Promise<() => Promise<void>> {
  await using undo = new AsyncDisposableStack();
  for (const mount of mounts) {
    const { image } = mount;
    if (image === undefined) continue;
    const key = `${id}.${crypto.randomUUID()}`;
    await snapshots.view(key, image.chain);
    undo.defer(() => snapshots.remove(key));
    image.key = key;
    mount.source = layout.snapshot(key);
  }
  const made = undo.move();
  return () => made.disposeAsync();
}

/** Lets go of the images of `mounts`, which nothing has mounted any more. */
export async function dropViews({ snapshots }: EngineContext, mounts: readonly ResolvedMount[]): Promise<void> {
  for (const { image } of mounts) if (image !== undefined) await snapshots.remove(image.key);
}

/** Whether a snapshot belongs to a container and none of its mounts needs it. For a daemon that starts. */
export function isStrayView({ containers }: EngineContext, key: string): boolean {
  const [, id] = /^([0-9a-f]{64})\./.exec(key) ?? [];
  if (id === undefined) return false;
  const container = containers.find(id);
  return container?.id !== id || !container.record.mounts.some(({ image }) => image?.key === key);
}
