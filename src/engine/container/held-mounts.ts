/** Mounts of our own in a container's bundle, for what it must get in another form than the host has it. */
import { chownSync, fstatSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ResolvedUser } from "#engine/spec/user.ts";
import type { ResolvedMount } from "#engine/volume/mount.ts";
import { type MountOwners, ownersMap } from "#engine/volume/owners.ts";
import { EngineError, errorMessage } from "#lib/errors.ts";
import { bindMount } from "#linux/bind-mount.ts";
import { closeFd, openPath } from "#linux/descriptor.ts";
import { openInRoot } from "#linux/files.ts";
import type { IdMap } from "#linux/id-map.ts";
import { O_PATH } from "#linux/libc.ts";
import { mountSnapshot } from "#linux/mount.ts";
import { SyscallError } from "#linux/syscall-error.ts";
import { unmountTree } from "#linux/unmount-tree.ts";
import { OwnerShift } from "#linux/user-namespace.ts";
import type { EngineContext } from "./context.ts";
import type { FileUsers } from "./rootfs.ts";
import { rootOf } from "./users.ts";

/** The container's user, as it knows it. */
type User = Pick<ResolvedUser, "uid" | "gid">;

/**
 * Answers the mounts with mounts of our own as their sources, where these are needed: for each part of a volume or image,
 * since whoever writes to the volume may make the path a link to elsewhere at any moment; for images; and for everything
 * whose owners are shifted. Rejects "invalid" where a part is absent, "unavailable" where a file system cannot shift owners.
 */
export async function holdMounts(
  context: EngineContext,
  id: string,
  mounts: readonly ResolvedMount[],
  users: FileUsers,
  user: () => User,
): Promise<ResolvedMount[]> {
  const held: ResolvedMount[] = [];
  for (const [index, mount] of mounts.entries()) {
    held.push({ ...mount, source: await holdMount(context, id, mount, String(index), users, user) });
  }
  return held;
}

/** One of them, under a `name` that no other has. Answers its source. */
export async function holdMount(
  context: EngineContext,
  id: string,
  mount: ResolvedMount,
  name: string,
  users: FileUsers,
  user: () => User,
): Promise<string> {
  if (mount.type === "tmpfs") return mount.source;
  if (mount.image !== undefined) return await holdImage(context, id, mount.image, name, users);
  const part = mount.volume?.subpath;
  if (users.owners === undefined && mount.owners === undefined && part === undefined) return mount.source;
  const fd = openSource(context, mount);
  const recursive = mount.bind?.nonRecursive !== true;
  const of = { fd, recursive, source: mount.source };
  try {
    using owners = mount.owners && (await shiftFor(mount.owners, fd, users.map, user));
    return hold(context, id, name, of, { ...users, owners: owners ?? users.owners });
  } finally {
    closeFd(fd);
  }
}

/** A descriptor (O_PATH) of what is to be mounted, which the caller closes. Throws "invalid" where a part is absent. */
export function openSource({ layout }: EngineContext, { source, volume }: ResolvedMount): number {
  if (volume?.subpath === undefined) return openPath(source, O_PATH);
  return openPart(layout.volumeData(volume.name), volume.subpath);
}

/** For a mount of `fd` that shows other owners; undefined where that comes to none. The caller disposes of it. */
export async function shiftFor(
  owners: MountOwners,
  fd: number,
  map: IdMap | undefined,
  user: () => User,
): Promise<OwnerShift | undefined> {
  const shown = ownersMap(owners, { map, user: user(), source: fstatSync(fd) });
  return shown === undefined ? undefined : await OwnerShift.create(shown, { hostRoot: false });
}

/** Takes off what `holdMount` made under `name`; copies of it stay. */
export function letGoOf({ layout }: EngineContext, id: string, name: string): void {
  for (const held of [name, `${name}.image`]) {
    const target = join(layout.subpaths(id), held);
    unmountTree(target);
    rmSync(target, { recursive: true, force: true });
  }
}

async function holdImage(
  context: EngineContext,
  id: string,
  { key, subpath }: NonNullable<ResolvedMount["image"]>,
  name: string,
  users: FileUsers,
): Promise<string> {
  const target = join(holdFolder(context, id, users), `${name}.image`);
  mkdirSync(target, { recursive: true });
  mountSnapshot(await context.snapshots.mounts(key), target, { owners: users.owners });
  if (subpath === undefined) return target;
  const fd = openPart(target, subpath);
  try {
    // Its owners are shifted already.
    return hold(context, id, name, { fd, recursive: false, source: target }, { ...users, owners: undefined });
  } finally {
    closeFd(fd);
  }
}

/** The same for files that the daemon writes. */
export function holdFiles<T extends Readonly<Record<string, string>>>(
  context: EngineContext,
  id: string,
  files: T,
  users: FileUsers,
): T {
  if (users.owners === undefined) return files;
  const held = Object.entries(files).map(([name, source]) => {
    const fd = openPath(source, O_PATH);
    try {
      return [name, hold(context, id, name, { fd, recursive: false, source }, users)] as const;
    } finally {
      closeFd(fd);
    }
  });
  return Object.fromEntries(held) as T;
}

function hold(
  context: EngineContext,
  id: string,
  name: string,
  { fd, recursive, source }: { fd: number; recursive: boolean; source: string },
  users: FileUsers,
): string {
  const target = join(holdFolder(context, id, users), name);
  if (fstatSync(fd).isDirectory()) mkdirSync(target, { recursive: true });
  else writeFileSync(target, "");
  bindMount({ path: `/proc/self/fd/${fd}`, shown: source }, target, { recursive, owners: users.owners });
  return target;
}

function holdFolder({ layout }: EngineContext, id: string, users: FileUsers): string {
  const folder = layout.subpaths(id);
  mkdirSync(folder, { recursive: true, mode: 0o710 });
  if (users.map !== undefined) chownSync(folder, 0, rootOf(users).gid);
  return folder;
}

/** A descriptor (O_PATH) of a part of a tree that may be hostile, which the caller closes. Throws "invalid" where it is absent. */
function openPart(tree: string, path: string): number {
  try {
    return openInRoot(tree, path, O_PATH);
  } catch (cause) {
    const absent = cause instanceof SyscallError && cause.code === "ENOENT";
    const why = absent ? "no such file or directory" : errorMessage(cause);
    throw new EngineError("invalid", `cannot access path ${join(tree, path)}: ${why}`, { cause });
  }
}
