/** A container's files as others read them: running or not, they stay whole meanwhile. */
import { constants, openSync, statSync } from "node:fs";
import { resolveUser } from "#engine/spec/user.ts";
import { type ResolvedMount, volumesOf } from "#engine/volume/mount.ts";
import { EngineError } from "#lib/errors.ts";
import type { LentAnswer } from "#lib/http/exchange.ts";
import { streamOf } from "#lib/streams.ts";
import { closeFd } from "#linux/descriptor.ts";
import { openInRoot } from "#linux/files.ts";
import type { IdMap } from "#linux/id-map.ts";
import { packIntoAnswer, type PackRequest, packTree, unpackArchive } from "#linux/helper-client.ts";
import { O_CLOEXEC, O_PATH } from "#linux/libc.ts";
import { bindMount, cloneMount } from "#linux/bind-mount.ts";
import { unmountTree } from "#linux/unmount-tree.ts";
import { SyscallError } from "#linux/syscall-error.ts";
import { writeTar } from "#store/tar-writer.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { isRunning } from "./record.ts";
import { holdMounts } from "./held-mounts.ts";
import { mountRootfs, removeBundle } from "./rootfs.ts";
import { runningMap } from "./users.ts";

export interface Tree extends AsyncDisposable {
  /** For processes of this host, while it is not disposed. */
  readonly path: string;
  /** Owners of its files are shifted so. */
  readonly ids?: IdMap;
  /** Aborted when the run is over that this is the view of: mounts may be missing from then on. */
  readonly run?: AbortSignal;
}

/**
 * The image with what the container changed, without the kernel's file systems, volumes and other mounts.
 * It outlives stops, starts and removals, which do not wait for it. A crash leaves nothing: its mount has no place.
 */
export async function openRootfs(context: EngineContext, container: Container): Promise<Tree> {
  using _ = await container.lock.acquire();
  await container.cleanup;
  if (!isRunning(container.state)) return treeAt(await cloneStopped(context, container, []));
  return treeAt(cloneMount(context.layout.rootfs(container.id)), runningMap(container));
}

/**
 * As the container's processes see it: volumes and all. Of one that does not run, as they would, tmpfs aside; new
 * volumes get the image's content then. Missing mount points are made, as a start does.
 * Stops, starts and removals do not wait for it; the view of a run shows with its end, in `run`, what it is worth.
 */
export async function openView(context: EngineContext, container: Container): Promise<Tree> {
  using _ = await container.lock.acquire();
  return await view(context, container);
}

/**
 * As `openView`, for writing: a start waits until it is disposed. Of a container that does not run, every change of
 * state does; the end of the run is the end of its view, and whoever writes must stop with `run`.
 */
export async function openViewForWriting(context: EngineContext, container: Container): Promise<Tree> {
  await using undo = new AsyncDisposableStack();
  const held = undo.use(await container.lock.acquire());
  const tree = undo.use(await view(context, container));
  if (tree.run !== undefined) {
    const written = Promise.withResolvers<void>();
    container.writers.add(written.promise);
    undo.defer(() => {
      container.writers.delete(written.promise);
      written.resolve();
    });
    held[Symbol.dispose]();
  }
  const all = undo.move();
  return { ...tree, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

async function view(context: EngineContext, container: Container): Promise<Tree> {
  const { state, record, run } = container;
  if (isRunning(state) && run !== undefined) {
    return treeAt(openRootOf(state.pid, container), runningMap(container), run.signal);
  }
  await container.cleanup;
  return treeAt(await cloneStopped(context, container, record.mounts));
}

/** A descriptor of the root that a process sees. Throws "conflict" where it has just gone. */
function openRootOf(pid: number, { id }: Container): number {
  try {
    return openSync(`/proc/${pid}/root`, O_PATH | O_CLOEXEC | constants.O_DIRECTORY);
  } catch (cause) {
    throw new EngineError("conflict", `container ${id} is not running`, { cause });
  }
}

/** The descriptor of a mount without a place; the caller closes it and holds the lock. */
async function cloneStopped(
  context: EngineContext,
  { id, record }: Container,
  mounts: readonly ResolvedMount[],
): Promise<number> {
  await using undo = new AsyncDisposableStack();
  undo.defer(() => removeBundle(context, id));
  const rootfs = await mountRootfs(context, id);
  // Takes along what is mounted below it, wherever paths lead by then.
  undo.defer(() => void unmountTree(rootfs));
  await context.volumes.mounts.hold(id, volumesOf(mounts));
  await context.volumes.populate(id, mounts, rootfs);
  const user = () => resolveUser(rootfs, record.config.User);
  for (const { type, source, destination, readOnly } of await holdMounts(context, id, mounts, {}, user)) {
    const stat = type === "tmpfs" ? undefined : statSync(source, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    const fd = await openMountPoint(rootfs, destination, stat.isDirectory());
    try {
      const access = readOnly ? "recursive" : false;
      bindMount(source, fd, { recursive: true, readOnly: access, propagation: "rprivate" });
    } finally {
      closeFd(fd);
    }
  }
  // Else what is below it would be unmounted with its origin.
  return cloneMount(rootfs, { recursive: true, propagation: "rprivate" });
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

/** Owns `fd`. */
function treeAt(fd: number, ids?: IdMap, run?: AbortSignal): Tree {
  return {
    path: `/proc/${process.pid}/fd/${fd}`,
    ...(ids && { ids }),
    ...(run && { run }),
    [Symbol.asyncDispose]: () => {
      closeFd(fd);
      return Promise.resolve();
    },
  };
}

/** An archive to be read, or written to an answer's socket by its packer: one of them, once. */
export interface PackedTree extends AsyncIterable<Uint8Array> {
  writeTo(answer: LentAnswer): Promise<void>;
}

/**
 * The archive of what `request` names in the tree, which is disposed of when it is read, written, or given up. Both
 * reject where the packing fails, and where the run ended meanwhile: volumes may be missing then.
 */
export function packed(
  tree: Tree,
  request: Omit<PackRequest, "root" | "mode" | "ids">,
  signal: AbortSignal,
): PackedTree {
  const whole: PackRequest = { root: tree.path, mode: "plain", ...request, ...(tree.ids && { ids: tree.ids }) };
  const checkRun = () => {
    if (tree.run?.aborted) throw new EngineError("conflict", "the container stopped while its files were read");
  };
  return {
    async *[Symbol.asyncIterator]() {
      await using _ = tree;
      const { stream, done } = packTree(whole, signal);
      for await (const chunk of stream) yield chunk;
      await done;
      checkRun();
    },
    async writeTo(answer) {
      await using _ = tree;
      await packIntoAnswer(answer, whole, signal);
      checkRun();
    },
  };
}
