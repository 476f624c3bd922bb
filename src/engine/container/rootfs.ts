/** Mounts a container's root file system where the runtime finds it, and takes it away again. */
import { mkdirSync, rmSync } from "node:fs";
import { mountSnapshot } from "#linux/mount.ts";
import type { EngineContext } from "./context.ts";

/** Mounts the writable snapshot `id` at its place in the bundle and returns that path. */
export async function mountRootfs(context: EngineContext, id: string): Promise<string> {
  const target = context.layout.rootfs(id);
  mkdirSync(target, { recursive: true, mode: 0o755 });
  mountSnapshot(await context.snapshots.mounts(id), target);
  return target;
}

/** Unmounts everything in the bundle and removes it. Idempotent. */
export async function removeBundle(context: EngineContext, id: string): Promise<void> {
  const { layout, namespaces } = context;
  // Both may be mount points. A failed unmount must keep us from removing what is behind it.
  for (const target of [layout.rootfs(id), layout.sharedMemory(id)]) await namespaces.unmount(target);
  rmSync(layout.bundle(id), { recursive: true, force: true });
}
