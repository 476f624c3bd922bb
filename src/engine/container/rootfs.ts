/** Mounts a container's root file system where the runtime finds it, and takes it away again. */
import { existsSync, fstatSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ResolvedMount } from "#engine/volume/mount.ts";
import { EngineError, errorMessage } from "#lib/errors.ts";
import { closeFd } from "#linux/descriptor.ts";
import { openInRoot } from "#linux/files.ts";
import { O_PATH } from "#linux/libc.ts";
import { bindMount } from "#linux/bind-mount.ts";
import { mountSnapshot } from "#linux/mount.ts";
import { SyscallError } from "#linux/syscall-error.ts";
import type { EngineContext } from "./context.ts";

/** Mounts the writable snapshot `id` at its place in the bundle and returns that path. */
export async function mountRootfs(context: EngineContext, id: string): Promise<string> {
  const target = context.layout.rootfs(id);
  mkdirSync(target, { recursive: true, mode: 0o755 });
  mountSnapshot(await context.snapshots.mounts(id), target);
  return target;
}

/**
 * Holds each part of a volume by a mount of our own in the bundle, and answers the mounts with these as their sources:
 * whoever writes to the volume may make the path a link to elsewhere at any moment. Throws "invalid" where it is absent.
 */
export function holdSubpaths({ layout }: EngineContext, id: string, mounts: readonly ResolvedMount[]): ResolvedMount[] {
  return mounts.map((mount, index) => {
    const { name, subpath } = mount.volume ?? {};
    if (name === undefined || subpath === undefined) return mount;
    const target = join(layout.subpaths(id), String(index));
    mkdirSync(layout.subpaths(id), { recursive: true, mode: 0o700 });
    const fd = openSubpath(layout.volumeData(name), subpath);
    try {
      if (fstatSync(fd).isDirectory()) mkdirSync(target, { recursive: true });
      else writeFileSync(target, "");
      bindMount(`/proc/self/fd/${fd}`, target, { recursive: true });
    } finally {
      closeFd(fd);
    }
    return { ...mount, source: target };
  });
}

function openSubpath(volume: string, subpath: string): number {
  try {
    return openInRoot(volume, subpath, O_PATH);
  } catch (cause) {
    const absent = cause instanceof SyscallError && cause.code === "ENOENT";
    const why = absent ? "no such file or directory" : errorMessage(cause);
    throw new EngineError("invalid", `cannot access path ${join(volume, subpath)}: ${why}`, { cause });
  }
}

/** Unmounts everything in the bundle and removes it. Idempotent. */
export async function removeBundle(context: EngineContext, id: string): Promise<void> {
  const { layout, namespaces } = context;
  // All may be mount points. A failed unmount must keep us from removing what is behind it.
  const subpaths = existsSync(layout.subpaths(id)) ? readdirSync(layout.subpaths(id)) : [];
  const held = subpaths.map((name) => join(layout.subpaths(id), name));
  for (const target of [layout.rootfs(id), layout.sharedMemory(id), ...held]) await namespaces.unmount(target);
  rmSync(layout.bundle(id), { recursive: true, force: true });
}
