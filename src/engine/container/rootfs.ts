/** Mounts a container's root file system where the runtime finds it, and takes it away again. */
import {
  chmodSync,
  chownSync,
  existsSync,
  fstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { ResolvedMount } from "#engine/volume/mount.ts";
import { EngineError, errorMessage } from "#lib/errors.ts";
import { closeFd, openPath } from "#linux/descriptor.ts";
import { openInRoot } from "#linux/files.ts";
import { O_PATH } from "#linux/libc.ts";
import { bindMount } from "#linux/bind-mount.ts";
import { mountSnapshot, shiftedFolder } from "#linux/mount.ts";
import { SyscallError } from "#linux/syscall-error.ts";
import type { Layout } from "#store/layout.ts";
import type { EngineContext } from "./context.ts";
import { type ContainerUsers, rootOf } from "./users.ts";

/** How a container's files get their owners; nothing where these are the host's. */
export type FileUsers = Pick<ContainerUsers, "owners" | "map">;

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

/**
 * Holds by mounts of our own in the bundle, and answers the mounts with these as their sources: each part of a volume,
 * since whoever writes to the volume may make the path a link to elsewhere at any moment, and everything whose
 * owners are shifted. Throws "invalid" where a part is absent, "unavailable" where a file system cannot shift owners.
 */
export function holdMounts(
  context: EngineContext,
  id: string,
  mounts: readonly ResolvedMount[],
  users: FileUsers = {},
): ResolvedMount[] {
  return mounts.map((mount, index) => {
    const { name, subpath } = mount.volume ?? {};
    const isPart = name !== undefined && subpath !== undefined;
    if (mount.type === "tmpfs" || (users.owners === undefined && !isPart)) return mount;
    const fd = isPart ? openSubpath(context.layout.volumeData(name), subpath) : openPath(mount.source, O_PATH);
    const recursive = mount.bind?.nonRecursive !== true;
    return { ...mount, source: hold(context, id, String(index), { fd, recursive, source: mount.source }, users) };
  });
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
    return [name, hold(context, id, name, { fd, recursive: false, source }, users)] as const;
  });
  return Object.fromEntries(held) as T;
}

/** Closes the descriptor. */
function hold(
  { layout }: EngineContext,
  id: string,
  name: string,
  { fd, recursive, source }: { fd: number; recursive: boolean; source: string },
  users: FileUsers,
): string {
  const folder = layout.subpaths(id);
  const target = join(folder, name);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o710 });
    if (users.map !== undefined) chownSync(folder, 0, rootOf(users).gid);
    if (fstatSync(fd).isDirectory()) mkdirSync(target, { recursive: true });
    else writeFileSync(target, "");
    bindMount({ path: `/proc/self/fd/${fd}`, shown: source }, target, { recursive, owners: users.owners });
  } finally {
    closeFd(fd);
  }
  return target;
}

/** A descriptor (O_PATH) of the part, which the caller closes. Throws "invalid" where it is absent. */
export function openSubpath(volume: string, subpath: string): number {
  try {
    return openInRoot(volume, subpath, O_PATH);
  } catch (cause) {
    const absent = cause instanceof SyscallError && cause.code === "ENOENT";
    const why = absent ? "no such file or directory" : errorMessage(cause);
    throw new EngineError("invalid", `cannot access path ${join(volume, subpath)}: ${why}`, { cause });
  }
}

/** Unmounts everything in the bundle, and volumes that it alone held, and removes it. Idempotent. */
export async function removeBundle(context: EngineContext, id: string): Promise<void> {
  const { layout, namespaces, volumes } = context;
  // All may be mount points. A failed unmount must keep us from removing what is behind it.
  const held = [layout.subpaths(id), shiftedFolder(layout.rootfs(id))].flatMap((folder) =>
    existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [],
  );
  for (const target of [layout.rootfs(id), layout.sharedMemory(id), ...held]) await namespaces.unmount(target);
  await volumes.mounts.release(id);
  rmSync(layout.bundle(id), { recursive: true, force: true });
}
