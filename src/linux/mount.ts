/** Mounts by the kernel's new mount API (fsopen, fsconfig, fsmount, move_mount), whose errors say which option is at fault. */
import { mkdirSync, rmdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { EngineError } from "#lib/errors.ts";
import { bindMount, moveMount } from "./bind-mount.ts";
import { closeFd } from "./descriptor.ts";
import { AT_FDCWD, checked, cString, O_CLOEXEC, O_PATH, syscall } from "./libc.ts";
import { EINVAL, ENOENT, hasErrno, SyscallError } from "./syscall-error.ts";
import type { OwnerShift } from "./user-namespace.ts";

/** What the mount itself refuses, whatever its file system allows. */
export type MountFlag = keyof typeof ATTRIBUTES;

export interface FileSystemMount {
  /** As /proc/filesystems names it. */
  readonly type: string;
  /** What mountinfo shows as source; the type unless given. A block device or file for those that need one. */
  readonly source?: string;
  /** `true` for options without a value. */
  readonly options?: Readonly<Record<string, string | true>>;
  readonly flags?: readonly MountFlag[];
}

/**
 * Mounts a new instance of a file system on the folder `target`. Throws SyscallError, with the kernel's own
 * words where it has some, and mounts nothing then.
 */
export function mountFileSystem(target: string, fileSystem: FileSystemMount): void {
  const doing = `cannot mount ${fileSystem.type} at ${target}`;
  const tree = newFileSystem(fileSystem, doing);
  try {
    moveMount(doing, tree, target);
  } finally {
    closeFd(tree);
  }
}

/** As `mountFileSystem`, without a place: it lives as long as the descriptor, which the caller closes. */
export function newFileSystem(
  { type, source = type, options = {}, flags = [] }: FileSystemMount,
  doing = `cannot make a ${type}`,
): number {
  using context = new FileSystemContext(type, doing);
  context.set("source", source);
  for (const [key, value] of Object.entries(options)) {
    if (value === true) context.flag(key);
    else context.set(key, value);
  }
  return context.create(flags);
}

/** A tmpfs at `target`, of `size` bytes (half of the memory unless given). */
export function mountTmpfs(
  target: string,
  options: { size?: number; mode?: number; owner?: { uid: number; gid: number }; flags?: readonly MountFlag[] } = {},
): void {
  const { size, mode, owner, flags = [] } = options;
  mountFileSystem(target, {
    type: "tmpfs",
    flags,
    options: {
      ...(size === undefined ? {} : { size: String(size) }),
      ...(mode === undefined ? {} : { mode: mode.toString(8) }),
      ...(owner === undefined ? {} : { uid: String(owner.uid), gid: String(owner.gid) }),
    },
  });
}

/**
 * Takes the topmost mount off `target`: true when there was one, false when there was none or no such path.
 * Throws kind "conflict" (EBUSY) while it is in use; `detach` takes it out of sight then and lets it go with its last user.
 * An overlay whose upper folder is not volatile is written to disk first, which takes as long as that takes.
 */
export function unmount(target: string, options: { detach?: boolean } = {}): boolean {
  const result = syscall("umount2", cString(target), UMOUNT_NOFOLLOW | (options.detach ? MNT_DETACH : 0));
  if (result === 0) return true;
  if (result === -EINVAL || result === -ENOENT) return false;
  throw new SyscallError({ doing: `cannot unmount ${target}`, call: "umount2", args: target, errno: -result });
}

/** The description of a mount that snapshots give (see the store); without `upper` an overlay is read-only. */
export type MountDescription =
  OverlayDescription | { readonly type: "bind"; readonly source: string; readonly readOnly: boolean };

interface OverlayDescription {
  readonly type: "overlay";
  readonly lower: readonly string[];
  readonly upper?: string;
  readonly work?: string;
}

/** Mounts a snapshot. `volatile` as in `OverlayMount`. */
export function mountSnapshot(mount: MountDescription, target: string, options: SnapshotOptions = {}): void {
  const { owners, volatile = false } = options;
  if (mount.type === "bind") return bindMount(mount.source, target, { readOnly: mount.readOnly, owners });
  if (owners !== undefined) return mountShifted(mount, target, owners);
  const { lower, upper, work } = mount;
  if (upper === undefined || work === undefined) return mountOverlay({ lowerDirs: lower, target });
  mountOverlay({ lowerDirs: lower, upperDir: upper, workDir: work, target, volatile });
}

export interface SnapshotOptions {
  readonly volatile?: boolean;
  /** As of a bind mount. The overlay then stands on mounts that were at `<target>.owners` for a moment. */
  readonly owners?: OwnerShift | undefined;
}

/** Overlayfs has no idmapped mounts of its own: the folders below it are mounted so, and kept by the overlay alone. */
function mountShifted({ lower, upper, work }: OverlayDescription, target: string, owners: OwnerShift): void {
  using undo = new DisposableStack();
  const scratch = shiftedFolder(target);
  mkdirSync(scratch, { recursive: true, mode: 0o700 });
  const places = new Map<string, string>();
  // One mount for all that lie side by side.
  const shifted = (path: string): string => {
    const parent = dirname(path);
    const place = places.get(parent) ?? join(scratch, String(places.size));
    if (!places.has(parent)) {
      mkdirSync(place, { recursive: true });
      const readOnly = upper === undefined || parent !== dirname(upper);
      bindMount(parent, place, { owners, readOnly, propagation: "private" });
      undo.defer(() => void unmount(place, { detach: true }));
      places.set(parent, place);
    }
    return join(place, basename(path));
  };
  const writable =
    upper === undefined || work === undefined ? {} : { upperDir: shifted(upper), workDir: shifted(work) };
  try {
    mountOverlay({ lowerDirs: lower.map(shifted), ...writable, target });
  } catch (cause) {
    if (!hasErrno(cause, EINVAL)) throw cause;
    const why = "overlay takes no idmapped mounts on this kernel (Linux 5.19) or file system";
    throw new EngineError("unavailable", `cannot mount ${target} for a user namespace: ${why}`, { cause });
  }
  undo.dispose();
  // Never recursively: behind a mount that stayed are the layers themselves.
  for (const place of [...places.values(), scratch]) rmdirSync(place);
}

/** Where a crash may have left mounts. */
export function shiftedFolder(target: string): string {
  return `${target}.owners`;
}

export interface OverlayMount {
  /** Absolute, the topmost first; up to 500. */
  readonly lowerDirs: readonly string[];
  /** Both or neither: without them the mount is read-only. */
  readonly upperDir?: string;
  readonly workDir?: string;
  readonly target: string;
  /**
   * Never waits for the disk, neither on fsync inside nor on unmount. After a crash of the host the upper folder
   * can't be mounted again until its `work/incompat` is removed, and what was written may be gone.
   */
  readonly volatile?: boolean;
  readonly readOnly?: boolean;
}

/**
 * Mounts layers as one tree. `index`, `metacopy` and `redirect_dir` are off, so that the upper folder holds whole
 * files and plain whiteouts that a diff can read. A single layer without an upper folder is bind-mounted
 * read-only, since overlayfs refuses it. Throws SyscallError naming the layer at fault.
 */
export function mountOverlay(mount: OverlayMount): void {
  const { lowerDirs, upperDir, workDir, target } = mount;
  if ((upperDir === undefined) !== (workDir === undefined) || lowerDirs.length === 0) {
    throw new EngineError(
      "internal",
      `cannot mount overlay at ${target}: it needs layers, and an upper folder with a work folder`,
    );
  }
  const [only] = lowerDirs;
  if (only !== undefined && lowerDirs.length === 1 && upperDir === undefined) {
    return bindMount(only, target, { readOnly: true });
  }
  using context = new FileSystemContext("overlay", `cannot mount overlay at ${target}`);
  // Lists of layers came with Linux 6.7. Later kernels look the folder up; older ones don't know the option, or take anything.
  if (context.trySet("lowerdir+", "/proc/self/fd/-") !== -ENOENT) return mountOverlayByString(mount);
  context.set("source", "overlay");
  for (const lower of lowerDirs) context.set("lowerdir+", lower);
  if (upperDir !== undefined) context.set("upperdir", upperDir);
  if (workDir !== undefined) context.set("workdir", workDir);
  for (const [key, value] of Object.entries(OVERLAY_OPTIONS)) context.set(key, value);
  if (mount.volatile) context.flag("volatile");
  context.mount(target, mount.readOnly ? ["ro"] : []);
}

/**
 * The same by mount(2), for kernels before 6.7. Their options must fit one page: longer ones name the folders by
 * descriptors, which is enough for some 200 layers.
 */
export function mountOverlayByString(mount: OverlayMount): void {
  const { lowerDirs, upperDir, workDir, target } = mount;
  const doing = `cannot mount overlay at ${target}`;
  const opened: number[] = [];
  const options = (lowers: readonly string[]): string => {
    const parts = [`lowerdir=${lowers.map((path) => escapeOption(path, /[\\:,]/g)).join(":")}`];
    if (upperDir !== undefined) parts.push(`upperdir=${escapeOption(upperDir, /[\\,]/g)}`);
    if (workDir !== undefined) parts.push(`workdir=${escapeOption(workDir, /[\\,]/g)}`);
    for (const [key, value] of Object.entries(OVERLAY_OPTIONS)) parts.push(`${key}=${value}`);
    if (mount.volatile) parts.push("volatile");
    return parts.join(",");
  };
  try {
    let data = cString(options(lowerDirs));
    if (data.length > LEGACY_OPTIONS_SIZE) {
      for (const lower of lowerDirs) {
        opened.push(checked(doing, `lowerdir ${lower}`, "openat", AT_FDCWD, cString(lower), O_PATH | O_CLOEXEC));
      }
      data = cString(options(opened.map((fd) => `/proc/self/fd/${fd}`)));
    }
    if (data.length > LEGACY_OPTIONS_SIZE) {
      throw new EngineError(
        "not-implemented",
        `${doing}: this kernel can't stack ${lowerDirs.length} layers (Linux 6.7 can)`,
      );
    }
    const overlay = cString("overlay");
    checked(
      doing,
      `${lowerDirs.length} layers`,
      "mount",
      overlay,
      cString(target),
      overlay,
      mount.readOnly ? MS_RDONLY : 0,
      data,
    );
  } finally {
    opened.forEach(closeFd);
  }
}

/** A file system being configured: closed without `mount`, nothing has happened. */
class FileSystemContext implements Disposable {
  readonly #fd: number;
  readonly #doing: string;

  constructor(type: string, doing: string) {
    this.#doing = doing;
    this.#fd = checked(doing, type, "fsopen", cString(type), FSOPEN_CLOEXEC);
  }

  set(key: string, value: string): void {
    const result = this.trySet(key, value);
    if (result < 0) throw this.#error("fsconfig", `${key}=${value}`, -result);
  }

  /** As `set`, but returns the negative errno. */
  trySet(key: string, value: string): number {
    return syscall("fsconfig", this.#fd, FSCONFIG_SET_STRING, cString(key), cString(value), 0);
  }

  flag(key: string): void {
    const result = syscall("fsconfig", this.#fd, FSCONFIG_SET_FLAG, cString(key), null, 0);
    if (result < 0) throw this.#error("fsconfig", key, -result);
  }

  mount(target: string, flags: readonly MountFlag[]): void {
    const tree = this.create(flags);
    try {
      moveMount(this.#doing, tree, target);
    } finally {
      closeFd(tree);
    }
  }

  /** The mount's descriptor. */
  create(flags: readonly MountFlag[]): number {
    const created = syscall("fsconfig", this.#fd, FSCONFIG_CMD_CREATE, null, null, 0);
    if (created < 0) throw this.#error("fsconfig", "create", -created);
    const attributes = flags.reduce((all, flag) => all | ATTRIBUTES[flag], 0);
    const tree = syscall("fsmount", this.#fd, FSMOUNT_CLOEXEC, attributes);
    if (tree < 0) throw this.#error("fsmount", flags.join(","), -tree);
    return tree;
  }

  [Symbol.dispose](): void {
    closeFd(this.#fd);
  }

  #error(call: string, args: string, errno: number): SyscallError {
    return new SyscallError({ doing: this.#doing, call, args, errno, detail: this.#log() });
  }

  /** What the kernel has to say: messages of one line each, after a letter for their level. */
  #log(): string {
    const lines: string[] = [];
    const line = new Uint8Array(1024);
    for (let length = 1; length > 0;) {
      length = syscall("read", this.#fd, line, line.length);
      if (length > 0)
        lines.push(
          new TextDecoder()
            .decode(line.subarray(0, length))
            .replace(/^[ewi] /, "")
            .trim(),
        );
    }
    // The probe for lists of layers leaves its own complaint.
    return lines.filter((text) => !text.includes("/proc/self/fd/-")).join("; ");
  }
}

function escapeOption(path: string, special: RegExp): string {
  return path.replace(special, "\\$&");
}

const OVERLAY_OPTIONS = { index: "off", metacopy: "off", redirect_dir: "off" } as const;
/** mount(2) copies one page, its last byte a NUL. */
const LEGACY_OPTIONS_SIZE = 4096;

const MS_RDONLY = 1;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const ATTRIBUTES = {
  ro: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  noatime: 0x10,
  strictatime: 0x20,
  nodiratime: 0x80,
} as const;
