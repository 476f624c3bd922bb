/** Files looked up inside a tree that may be hostile, and writes that a crash cannot leave half done. */
import { closeSync, constants, fsyncSync, openSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { EngineError } from "#lib/errors.ts";
import { closeFd, openPath } from "./descriptor.ts";
import { AT_FDCWD, checked, cString, O_CLOEXEC, O_PATH, syscall } from "./libc.ts";
import { EAGAIN, SyscallError } from "./syscall-error.ts";

const RESOLVE_IN_ROOT = 0x10;
/** Index of `f_flags` in struct statfs, and what it may hold (statfs(2)). */
const F_FLAGS = 10;
const RESTRICTIONS = { ro: 1, nosuid: 2, nodev: 4, noexec: 8, noatime: 0x400, nodiratime: 0x800 } as const;
const RENAME_EXCHANGE = 2;
const LOCK_EX_NB = 2 | 4;
/** On all 64-bit architectures that Bun runs on. */
const FS_IOC_GETFLAGS = 0x80086601;
const FS_IOC_SETFLAGS = 0x40086602;
const FS_TOPDIR_FL = 0x20000;

/**
 * Opens `path` as a process with `root` as its root directory would: no link, absolute or with `..`, leads out
 * (openat2(2), RESOLVE_IN_ROOT). The caller closes. Throws SyscallError.
 */
export function openInRoot(root: string, path: string, flags: number, mode = 0): number {
  const folder = openPath(root, O_PATH | constants.O_DIRECTORY);
  try {
    // struct open_how: flags, mode, resolve.
    const how = BigUint64Array.of(BigInt(flags | O_CLOEXEC), BigInt(mode), BigInt(RESOLVE_IN_ROOT));
    return checked(`cannot open ${path} in ${root}`, path, "openat2", folder, cString(path), how, how.byteLength);
  } finally {
    closeFd(folder);
  }
}

/** The number of the file system that `path` is on (statfs(2), linux/magic.h). Throws SyscallError. */
export function fileSystemType(path: string): number {
  return Number(statFileSystem(path)[0] ?? 0n);
}

/** What the mount that `path` is on refuses, in the words of mount(8); `ro` also where its whole file system is. Throws SyscallError. */
export function mountRestrictions(path: string): string[] {
  const flags = Number(statFileSystem(path)[F_FLAGS] ?? 0n);
  return Object.entries(RESTRICTIONS).flatMap(([word, flag]) => ((flags & flag) === 0 ? [] : [word]));
}

function statFileSystem(path: string): BigUint64Array {
  const buffer = new BigUint64Array(16);
  checked(`cannot look at the file system of ${path}`, path, "statfs", cString(path), buffer);
  return buffer;
}

/** Replaces `path` by `data` so that a reader (or the next boot) sees the old content or the new, nothing between. */
export function writeAtomically(path: string, data: string | Uint8Array, mode = 0o600): void {
  const temporary = `${path}.new`;
  writeFileSync(temporary, data, { mode, flush: true });
  renameSync(temporary, path);
  const folder = openSync(dirname(path), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Lets two files or folders of one file system take each other's place, in one step. Throws SyscallError. */
export function exchangeFiles(one: string, other: string): void {
  const flags = RENAME_EXCHANGE;
  const doing = `cannot exchange ${one} and ${other}`;
  checked(doing, one, "renameat2", AT_FDCWD, cString(one), AT_FDCWD, cString(other), flags);
}

/** Holds an exclusive lock on a file (flock(2)) until disposed or the process dies. Throws "conflict" where another holds it. */
export function lockFile(path: string): Disposable {
  const fd = openPath(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  const result = syscall("flock", fd, LOCK_EX_NB);
  if (result < 0) {
    closeFd(fd);
    if (result === -EAGAIN) throw new EngineError("conflict", `${path} is locked by another process`);
    throw new SyscallError({ doing: `cannot lock ${path}`, call: "flock", args: path, errno: -result });
  }
  return { [Symbol.dispose]: () => closeFd(fd) };
}

/**
 * Lets ext4 give each new folder in `path` a region of the disk of its own, as it does for those of the root directory.
 * Beside its siblings a tree would get inodes that were freed a moment ago, which ext4 skips one by one: making 20,000
 * files then takes seconds instead of half a one. Other file systems know no such flag, and none is needed there.
 */
export function spreadFolders(path: string): void {
  const folder = openPath(path, constants.O_DIRECTORY);
  try {
    const flags = new Int32Array(1);
    if (syscall("ioctl", folder, FS_IOC_GETFLAGS, flags) < 0) return;
    flags[0] = (flags[0] ?? 0) | FS_TOPDIR_FL;
    syscall("ioctl", folder, FS_IOC_SETFLAGS, flags);
  } finally {
    closeFd(folder);
  }
}
