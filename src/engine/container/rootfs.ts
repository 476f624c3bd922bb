/** Mounts a container's root file system where the runtime finds it, and takes it away again. */
import { chmodSync, chownSync, mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { namesIn } from "#lib/absent.ts";
import { mountSnapshot, shiftedFolder } from "#linux/mount.ts";
import { unmountTree } from "#linux/unmount-tree.ts";
import type { OwnerShift } from "#linux/user-namespace.ts";
import type { Layout } from "#store/layout.ts";
import type { EngineContext } from "./context.ts";
import { type ContainerUsers, rootOf } from "./users.ts";

/** How a container's files get their owners; nothing where these are the host's. */
export interface FileUsers extends Pick<ContainerUsers, "map"> {
  readonly owners?: OwnerShift | undefined;
}

/** Mounts the writable snapshot `id` at its place in the bundle and returns that path. */
export async function mountRootfs(context: EngineContext, id: string, users: FileUsers = {}): Promise<string> {
  const { layout } = context;
  const target = layout.rootfs(id);
  mkdirSync(target, { recursive: true, mode: 0o755 });
  if (users.map !== undefined) letIn(layout, id, rootOf(users).gid);
  mountSnapshot(await context.snapshots.mounts(id), target, { owners: users.owners });
  return target;
}

/** The container's root must find its bundle; others still cannot look into it. */
function letIn(layout: Layout, id: string, gid: number): void {
  const { mode } = statSync(layout.execRoot);
  if ((mode & 0o001) === 0) chmodSync(layout.execRoot, (mode & 0o7777) | 0o001);
  chownSync(layout.bundle(id), 0, gid);
}

/** Unmounts everything in the bundle, and volumes that it alone held, and removes it. Idempotent. */
export async function removeBundle(context: EngineContext, id: string): Promise<void> {
  const { layout, namespaces, volumes } = context;
  // All may be mount points. A failed unmount must keep us from removing what is behind it.
  const held = [layout.subpaths(id), shiftedFolder(layout.rootfs(id)), ...shiftedFolders(layout.subpaths(id))].flatMap(
    (folder) => namesIn(folder).map((name) => join(folder, name)),
  );
  // Starts that were cut off may have left more than one.
  for (const target of held) while (unmountTree(target));
  for (const target of [layout.rootfs(id), layout.sharedMemory(id)]) await namespaces.unmount(target);
  await volumes.mounts.release(id);
  rmSync(layout.bundle(id), { recursive: true, force: true });
}

/** Where images that are mounted beside the root's own have their shifted folders for a moment. */
function shiftedFolders(folder: string): string[] {
  return namesIn(folder).map((name) => shiftedFolder(join(folder, name)));
}
