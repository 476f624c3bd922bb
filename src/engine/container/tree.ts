/** A container's files as others read them: running or not, they stay whole meanwhile. */
import { statSync } from "node:fs";
import type { ResolvedMount } from "#engine/volume/mount.ts";
import { streamOf } from "#lib/streams.ts";
import { closeFd } from "#linux/descriptor.ts";
import { openInRoot } from "#linux/files.ts";
import type { IdMap } from "#linux/id-map.ts";
import { type PackStream, unpackArchive } from "#linux/helper-client.ts";
import { O_PATH } from "#linux/libc.ts";
import { bindMount, cloneMount } from "#linux/bind-mount.ts";
import { unmount } from "#linux/mount.ts";
import { SyscallError } from "#linux/syscall-error.ts";
import { writeTar } from "#store/tar-writer.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { isRunning } from "./record.ts";
import { holdMounts, mountRootfs, removeBundle } from "./rootfs.ts";
import { runningMap } from "./users.ts";

export interface Tree extends AsyncDisposable {
  /** For processes of this host, while it is not disposed. */
  readonly path: string;
  /** Owners of its files are shifted so. */
  readonly ids?: IdMap;
}

/**
 * The image with what the container changed, without the kernel's file systems, volumes and other mounts.
 * No start, stop or removal happens before it is disposed. A crash leaves nothing: its mount has no place.
 */
export async function openRootfs(context: EngineContext, container: Container): Promise<Tree> {
  await using undo = new AsyncDisposableStack();
  undo.use(await container.lock.acquire());
  await container.cleanup;
  const fd = isRunning(container.state)
    ? cloneMount(context.layout.rootfs(container.id))
    : await cloneStopped(context, container, []);
  undo.defer(() => closeFd(fd));
  return own(`/proc/${process.pid}/fd/${fd}`, undo.move(), runningMap(container));
}

/**
 * As the container's processes see it: volumes and all. Of one that does not run, as they would, tmpfs aside; new
 * volumes get the image's content then. Missing mount points are made, as a start does.
 */
export async function openView(context: EngineContext, container: Container): Promise<Tree> {
  await using undo = new AsyncDisposableStack();
  undo.use(await container.lock.acquire());
  const { state, record } = container;
  if (isRunning(state)) return own(`/proc/${state.pid}/root`, undo.move(), runningMap(container));
  await container.cleanup;
  const fd = await cloneStopped(context, container, record.mounts);
  undo.defer(() => closeFd(fd));
  return own(`/proc/${process.pid}/fd/${fd}`, undo.move());
}

/** The descriptor of a mount without a place; the caller closes it and holds the lock. */
async function cloneStopped(
  context: EngineContext,
  { id }: Container,
  mounts: readonly ResolvedMount[],
): Promise<number> {
  await using undo = new AsyncDisposableStack();
  undo.defer(() => removeBundle(context, id));
  const rootfs = await mountRootfs(context, id);
  // Takes along what is mounted below it, wherever paths lead by then.
  undo.defer(() => void unmount(rootfs, { detach: true }));
  await context.volumes.populate(mounts, rootfs);
  for (const { type, source, destination, readOnly } of holdMounts(context, id, mounts)) {
    const stat = type === "tmpfs" ? undefined : statSync(source, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    const fd = await openMountPoint(rootfs, destination, stat.isDirectory());
    try {
      bindMount(source, fd, { recursive: true, readOnly: readOnly ? "recursive" : false });
    } finally {
      closeFd(fd);
    }
  }
  return cloneMount(rootfs, { recursive: true });
}

async function openMountPoint(rootfs: string, destination: string, isFolder: boolean): Promise<number> {
  try {
    return openInRoot(rootfs, destination, O_PATH);
  } catch (error) {
    if (!(error instanceof SyscallError) || error.code !== "ENOENT") throw error;
    const entry = { name: destination.slice(1), type: isFolder ? ("directory" as const) : ("file" as const) };
    await unpackArchive({ archive: streamOf(writeTar([entry])), target: rootfs, mode: "plain" });
    return openInRoot(rootfs, destination, O_PATH);
  }
}

function own(path: string, held: AsyncDisposableStack, ids?: IdMap): Tree {
  return { path, ...(ids && { ids }), [Symbol.asyncDispose]: () => held.disposeAsync() };
}

/** The tree's archive; disposes of the tree when it is over. Rejects where the packing fails. */
export async function* packed(tree: Tree, { stream, done }: PackStream): AsyncGenerator<Uint8Array> {
  await using _ = tree;
  for await (const chunk of stream) yield chunk;
  await done;
}
