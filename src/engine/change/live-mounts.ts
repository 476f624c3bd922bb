/** Mounts and unmounts in a running container as its start would have. */
import { fstatSync, lchownSync, lstatSync, mkdirSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Container } from "#engine/container/container.ts";
import type { EngineContext } from "#engine/container/context.ts";
import { holdMount, letGoOf, openSource, shiftFor } from "#engine/container/held-mounts.ts";
import { rootOf, runningMap } from "#engine/container/users.ts";
import { readOnlyOption } from "#engine/spec/mounts.ts";
import { resolveUser } from "#engine/spec/user.ts";
import type { ResolvedMount } from "#engine/volume/mount.ts";
import { prepareBindSources } from "#engine/volume/resolve.ts";
import { EngineError } from "#lib/errors.ts";
import type { BindOptions, Propagation } from "#linux/bind-mount.ts";
import {
  type AttachOptions,
  findMount,
  findMountById,
  type FoundMount,
  type LooseMount,
  type MountSession,
} from "#linux/container-mounts.ts";
import { closeFd } from "#linux/descriptor.ts";
import { openInRoot } from "#linux/files.ts";
import { type IdMap, toOutside } from "#linux/id-map.ts";
import { O_PATH } from "#linux/libc.ts";
import type { FileSystemMount, MountFlag } from "#linux/mount.ts";
import { listMounts, type MountInfo } from "#linux/mountinfo.ts";
import { EBUSY, EISDIR, ENOTDIR, EROFS, hasErrno } from "#linux/syscall-error.ts";
import { unmountTree } from "#linux/unmount-tree.ts";
import { OwnerShift } from "#linux/user-namespace.ts";

/** A running container, by its first process; the caller holds its lock. */
export interface Target {
  id: string;
  pid: number;
  /** Of its user namespace; undefined where that is the host's. */
  map: IdMap | undefined;
}

export function targetOf(container: Container): Target {
  return { id: container.id, pid: container.state.pid, map: runningMap(container) };
}

/** A mount that is ready and has no place yet. */
export interface ReadyMount {
  loose: LooseMount;
  place: AttachOptions;
}

/** Makes missing folders of binds that ask for it. Returns the undo. Throws as `prepareBindSources`. */
export function makeSources(mounts: readonly ResolvedMount[]): () => void {
  const made: string[] = [];
  for (const { bind, source } of mounts) {
    if (bind === undefined) continue;
    for (let path = source; !exists(path); path = dirname(path)) made.push(path);
  }
  prepareBindSources(mounts);
  return () => {
    for (const path of made) {
      try {
        rmdirSync(path);
      } catch {
        // Somebody uses it by now.
      }
    }
  };
}

/** Throws "invalid" for what no start would have accepted. */
export async function readyMount(
  context: EngineContext,
  session: MountSession,
  target: Target,
  mount: ResolvedMount,
): Promise<ReadyMount> {
  const { host, layout, containers } = context;
  const { destination } = mount;
  const { map } = target;
  const owner = map === undefined ? {} : { owner: rootOf({ map }) };
  if (mount.tmpfs !== undefined) {
    const loose = await session.make(tmpfs(mount.tmpfs.options, modeAt(target.pid, destination), map));
    const propagation = mount.tmpfs.options.findLast(isPropagation);
    return { loose, place: { destination, sort: "folder", ...owner, ...(propagation && { propagation }) } };
  }
  const access = mount.readOnly ? readOnlyOption(mount, host) : undefined;
  const user = () => resolveUser(layout.rootfs(target.id), containers.get(target.id).record.config.User);
  const options: BindOptions = {
    recursive: !mount.bind?.nonRecursive,
    ...(access && { readOnly: access === "rro" ? "recursive" : true }),
    // What is mounted on volumes and images is nobody else's.
    propagation: isPropagation(mount.propagation) ? mount.propagation : "rprivate",
  };
  const at = (source: string): AttachOptions => ({
    destination,
    sort: statSync(source).isDirectory() ? "folder" : "file",
    ...owner,
    ...(options.propagation && { propagation: options.propagation }),
  });
  using inside = map === undefined ? undefined : await OwnerShift.create(map);
  if (mount.image !== undefined) {
    const name = `live-${crypto.randomUUID()}`;
    try {
      const source = await holdMount(context, target.id, mount, name, { owners: inside, ...(map && { map }) }, user);
      return { loose: await session.clone(source, options), place: at(source) };
    } finally {
      letGoOf(context, target.id, name);
    }
  }
  const fd = openSource(context, mount);
  try {
    using owners = mount.owners && (await shiftFor(mount.owners, fd, map, user));
    const source = `/proc/${process.pid}/fd/${fd}`;
    return { loose: await session.clone(source, { ...options, owners: owners ?? inside }), place: at(source) };
  } finally {
    closeFd(fd);
  }
}

/** Mounts. Returns what was made for the mount point, and the undo. Throws "conflict" where a file is to go over a folder or the reverse. */
export async function attach(
  { layout }: EngineContext,
  session: MountSession,
  target: Target,
  { loose, place }: ReadyMount,
): Promise<{ made: readonly string[]; undo: () => Promise<void> }> {
  let made: readonly string[];
  try {
    made = await session.attach(target.pid, loose, place);
  } catch (error) {
    if (!hasErrno(error, EROFS)) throw misfit(error, place);
    // The container's own view of its root is read-only; ours of the same files is not.
    makeInRootfs(layout.rootfs(target.id), place);
    made = await session.attach(target.pid, loose, place);
  }
  const undo = async (): Promise<void> => {
    await detachById(session, target, loose.id);
    if (isThere(target)) await session.removeMade(target.pid, made);
  };
  return { made, undo };
}

/** Takes a mount off by the kernel's number of it; without an error where it, or the container, is gone. */
export async function detachById(session: MountSession, target: Target, id: number): Promise<void> {
  if (!isThere(target)) return;
  const found = findMountById(target.pid, id);
  if (found !== undefined) await session.detach(target.pid, found, { lazy: true });
}

/**
 * Unmounts. Returns what was there, and the undo; nothing is done where the container has the mount no more. Throws "conflict" where it is
 * in use or another one than was mounted, unless `force`.
 */
export async function detach(
  session: MountSession,
  { pid }: Target,
  mount: ResolvedMount,
  force: boolean,
): Promise<{ mount: MountInfo | undefined; undo: () => Promise<void> }> {
  const found = findMount(pid, mount.destination);
  if (found === undefined) return { mount: undefined, undo: async () => {} };
  if (!force && !isSame(mount, found)) {
    throw new EngineError(
      "conflict",
      `cannot unmount ${mount.destination}: what is mounted there is not what was asked for; it can be forced`,
    );
  }
  try {
    const detached = await session.detach(pid, found, { lazy: force });
    return { mount: found.tree.at(-1), undo: () => session.putBack(pid, detached) };
  } catch (cause) {
    if (!hasErrno(cause, EBUSY)) throw cause;
    throw new EngineError("conflict", `cannot unmount ${mount.destination}: target is busy; it can be forced`, {
      cause,
    });
  }
}

/** Lets go of what the container's start held for a mount that it has no more. */
export function letGo({ layout }: EngineContext, id: string, gone: readonly MountInfo[]): void {
  if (gone.length === 0) return;
  const isGone = (held: MountInfo): boolean =>
    gone.some(({ device, root }) => device === held.device && root === held.root);
  for (const { mountPoint } of listMounts(layout.subpaths(id)).filter(isGone)) unmountTree(mountPoint);
}

function isSame(
  { tmpfs: isTmpfs, image, source, volume }: ResolvedMount,
  { tree, device, inode }: FoundMount,
): boolean {
  if (isTmpfs !== undefined) return tree.at(-1)?.type === "tmpfs";
  if (volume?.subpath !== undefined || image !== undefined) return true;
  const stat = statSync(source, { throwIfNoEntry: false });
  return stat === undefined || (stat.dev === device && stat.ino === inode);
}

function isThere({ pid }: Target): boolean {
  return exists(`/proc/${pid}/ns/mnt`);
}

function misfit(error: unknown, { destination, sort }: AttachOptions): unknown {
  if (!hasErrno(error, ENOTDIR, EISDIR)) return error;
  const what = sort === "folder" ? "a directory onto a file" : "a file onto a directory";
  return new EngineError("conflict", `cannot mount ${what} (${destination})`, { cause: error });
}

function makeInRootfs(rootfs: string, { destination, sort, owner }: AttachOptions): void {
  const names = destination.split("/").slice(1);
  for (const [index, name] of names.entries()) {
    const parent = openInRoot(rootfs, `/${names.slice(0, index).join("/")}`, O_PATH);
    try {
      const path = `/proc/self/fd/${parent}/${name}`;
      if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) continue;
      if (sort === "file" && index === names.length - 1) writeFileSync(path, "", { flag: "wx" });
      else mkdirSync(path);
      if (owner !== undefined) lchownSync(path, owner.uid, owner.gid);
    } finally {
      closeFd(parent);
    }
  }
}

/** The permissions that a tmpfs takes over from the folder it covers, as the runtime has it. */
function modeAt(pid: number, path: string): number {
  try {
    const fd = openInRoot(`/proc/${pid}/root`, path, O_PATH);
    try {
      return fstatSync(fd).mode & 0o7777;
    } finally {
      closeFd(fd);
    }
  } catch {
    return 0o755;
  }
}

const FLAGS: readonly string[] = ["ro", "nosuid", "nodev", "noexec", "noatime", "strictatime", "nodiratime"];
const OF_THE_FILE_SYSTEM: readonly string[] = ["sync", "dirsync", "mand"];

function tmpfs(asked: readonly string[], mode: number, map: IdMap | undefined): FileSystemMount {
  const options: Record<string, string | true> = { mode: mode.toString(8) };
  for (const option of asked) {
    const [name = "", value] = option.split("=");
    if (value !== undefined) options[name] = value;
    else if (OF_THE_FILE_SYSTEM.includes(option)) options[option] = true;
  }
  // The owner of its root is told in ids of the host.
  if (map !== undefined) {
    options["uid"] = String(toOutside(map.uids, Number(options["uid"] ?? 0)) ?? 0);
    options["gid"] = String(toOutside(map.gids, Number(options["gid"] ?? 0)) ?? 0);
  }
  return { type: "tmpfs", options, flags: asked.filter((option): option is MountFlag => FLAGS.includes(option)) };
}

const PROPAGATIONS: readonly string[] = [
  "private",
  "rprivate",
  "shared",
  "rshared",
  "slave",
  "rslave",
  "unbindable",
  "runbindable",
] satisfies Propagation[];

function isPropagation(option: string): option is Propagation {
  return PROPAGATIONS.includes(option);
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
