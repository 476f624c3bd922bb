/** The *at calls with which a helper works on untrusted trees: relative to open directories, names as raw bytes. */
import { constants } from "node:fs";
import { type IdMap, toInside, toOutside } from "./id-map.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_NONBLOCK,
  syscall,
  type SyscallName,
} from "./libc.ts";
import { EINVAL, ENOENT, SyscallError } from "./syscall-error.ts";

export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;

const AT_STATX_DONT_SYNC = 0x4000;
const STATX_BASIC_STATS = 0x7ff;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_IN_ROOT = 0x10;
const PRIO_PROCESS = 0;
/** XATTR_LIST_MAX and XATTR_SIZE_MAX of limits.h. */
const attributeMax = 64 * 1024;
const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | O_CLOEXEC;

export interface Stat {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly nlink: number;
  readonly size: number;
  readonly seconds: number;
  readonly nanoseconds: number;
  /** Bytes on disk. */
  readonly allocated: number;
  /** Equal for the names of one file. */
  readonly identity: string;
  /** Of a device node. */
  readonly major: number;
  readonly minor: number;
}

export interface Attribute {
  readonly name: string;
  readonly value: Uint8Array;
}

/**
 * Names are latin1 strings that stand for bytes, without NUL. Calls answer with what the kernel answers: 0, a
 * descriptor or a count, or the negated errno; what is fatal is for the caller to say (`fail`). Memory is given by
 * address, as libarchive gives it, or as a buffer.
 */
export class TreeCalls {
  readonly #name = Buffer.alloc(8192);
  readonly #other = Buffer.alloc(8192);
  readonly #times = new BigUint64Array(4);
  readonly #stat = Buffer.alloc(256);
  readonly #how = new BigUint64Array(3);
  readonly #list = Buffer.alloc(attributeMax);
  readonly #doing: string;
  readonly #ids: IdMap | undefined;

  /**
   * `doing` opens the messages of errors ("cannot unpack"). With `ids` owners are told and given as in that user
   * namespace, while the tree has those outside of it.
   */
  constructor(doing: string, ids?: IdMap) {
    this.#doing = doing;
    this.#ids = ids;
  }

  /** Gives way to everybody else. */
  lowerPriority(): void {
    syscall("setpriority", PRIO_PROCESS, 0, 19);
  }

  /** Makes `path` the root of this process and returns a descriptor of it. Modes are taken literally from now on. */
  enterRoot(path: string): number {
    const root = syscall("openat", AT_FDCWD, Buffer.from(`${path}\0`), directoryFlags, 0);
    if (root < 0) throw this.fail("openat", path, root);
    const moved = syscall("fchdir", root) || syscall("chroot", this.#put("."));
    if (moved < 0) throw this.fail("chroot", path, moved);
    syscall("umask", 0);
    return root;
  }

  open(dir: number, name: string, flags: number, mode = 0): number {
    return syscall("openat", dir, this.#put(name), flags | O_CLOEXEC, mode);
  }

  openDirectory(dir: number, name: string): number {
    return this.open(dir, name, directoryFlags | constants.O_NOFOLLOW);
  }

  /** For reading a file that may be anything by now: neither follows a link nor waits for the other end of a fifo. */
  openFile(dir: number, name: string): number {
    return this.open(dir, name, constants.O_RDONLY | constants.O_NOFOLLOW | O_NONBLOCK);
  }

  /** The directory `path`, following symbolic links as if `root` were `/`. */
  openInRoot(root: number, path: string): number {
    this.#how[0] = BigInt(directoryFlags);
    this.#how[2] = BigInt(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    return syscall("openat2", root, this.#put(path === "" ? "." : path), this.#how, this.#how.byteLength);
  }

  close(fd: number): void {
    syscall("close", fd);
  }

  /** Names and types (S_IFDIR and so on; 0 where the file system does not say), in byte order. */
  list(dir: number): { name: string; type: number }[] {
    const found: { name: string; type: number }[] = [];
    const buffer = Buffer.alloc(64 * 1024);
    for (;;) {
      const size = syscall("getdents64", dir, buffer, buffer.length);
      if (size < 0) throw this.fail("getdents64", "", size);
      if (size === 0) break;
      // struct linux_dirent64: inode 8, offset 8, record length 2, type 1, name
      for (let at = 0; at < size; at += buffer.readUInt16LE(at + 16)) {
        const name = buffer.toString("latin1", at + 19, buffer.indexOf(0, at + 19));
        if (name !== "." && name !== "..") found.push({ name, type: buffer.readUInt8(at + 18) << 12 });
      }
    }
    return found.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Removes whatever `dir`/`name` is, with all below it, without following links. */
  removeTree(dir: number, name: string, type = S_IFDIR): void {
    if (type !== S_IFDIR && type !== 0) {
      this.#must("unlinkat", name, this.unlink(dir, name));
      return;
    }
    const fd = this.openDirectory(dir, name);
    if (fd < 0) {
      this.#must("unlinkat", name, this.unlink(dir, name));
      return;
    }
    try {
      for (const entry of this.list(fd)) this.removeTree(fd, entry.name, entry.type);
    } finally {
      this.close(fd);
    }
    this.#must("unlinkat", name, syscall("unlinkat", dir, this.#put(name), AT_REMOVEDIR));
  }

  read(fd: number, into: Uint8Array): number {
    return syscall("read", fd, into, into.length);
  }

  /** Writes all of it: at `offset`, or at the descriptor's own position. 0 or the negated errno. */
  write(fd: number, address: number, size: number, offset?: number): number {
    for (let done = 0; done < size;) {
      const wrote =
        offset === undefined
          ? syscall("write", fd, address + done, size - done)
          : syscall("pwrite64", fd, address + done, size - done, offset + done);
      if (wrote < 0) return wrote;
      done += wrote;
    }
    return 0;
  }

  truncate(fd: number, size: number): number {
    return syscall("ftruncate", fd, size);
  }

  makeDirectory(dir: number, name: string, mode: number): number {
    const made = syscall("mkdirat", dir, this.#put(name), mode);
    // Who is root here is nobody there: what no entry describes must not stay so.
    return made < 0 || this.#ids === undefined ? made : this.chownAt(dir, name, 0, 0);
  }

  /** `device` as the kernel packs it (dev_t). */
  makeNode(dir: number, name: string, mode: number, device: number): number {
    return syscall("mknodat", dir, this.#put(name), mode, device);
  }

  makeSymlink(target: string, dir: number, name: string): number {
    return syscall("symlinkat", this.#putOther(target), dir, this.#put(name));
  }

  link(fromDir: number, from: string, dir: number, name: string): number {
    return syscall("linkat", fromDir, this.#putOther(from), dir, this.#put(name), 0);
  }

  unlink(dir: number, name: string): number {
    return syscall("unlinkat", dir, this.#put(name), 0);
  }

  chown(fd: number, uid: number, gid: number): number {
    const owner = this.#outside(uid, gid);
    return owner === undefined ? -EINVAL : syscall("fchown", fd, owner.uid, owner.gid);
  }

  chownAt(dir: number, name: string, uid: number, gid: number): number {
    const owner = this.#outside(uid, gid);
    if (owner === undefined) return -EINVAL;
    return syscall("fchownat", dir, this.#put(name), owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW);
  }

  /** Whether the open file has this owner and these permissions already. */
  isAs(fd: number, uid: number, gid: number, permissions: number): boolean {
    const owner = this.#outside(uid, gid);
    const s = this.#stat; // struct statx
    return (
      syscall("statx", fd, this.#put(""), AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, s) === 0 &&
      s.readUInt32LE(20) === owner?.uid &&
      s.readUInt32LE(24) === owner.gid &&
      (s.readUInt16LE(28) & 0o7777) === permissions
    );
  }

  chmod(fd: number, mode: number): number {
    return syscall("fchmod", fd, mode);
  }

  /** Of a name that is no symbolic link. */
  chmodAt(dir: number, name: string, mode: number): number {
    return syscall("fchmodat", dir, this.#put(name), mode);
  }

  /** Access and modification time. */
  setTime(fd: number, seconds: number, nanoseconds: number): number {
    return syscall("utimensat", fd, null, this.#putTime(seconds, nanoseconds), 0);
  }

  setTimeAt(dir: number, name: string, seconds: number, nanoseconds: number): number {
    const times = this.#putTime(seconds, nanoseconds);
    return syscall("utimensat", dir, this.#put(name), times, AT_SYMLINK_NOFOLLOW);
  }

  setAttribute(fd: number, attribute: string, value: number | Uint8Array, size: number): number {
    return syscall("fsetxattr", fd, this.#put(attribute), value, size, 0);
  }

  /** On the link itself. Changes the working directory to `dir`: there is no call relative to a descriptor. */
  setAttributeAt(dir: number, name: string, attribute: string, value: number | Uint8Array, size: number): number {
    const moved = syscall("fchdir", dir);
    return moved < 0 ? moved : syscall("lsetxattr", this.#put(name), this.#putOther(attribute), value, size, 0);
  }

  /** All that `dir`/`name` itself has, in byte order of their names. Changes the working directory to `dir`. */
  attributesAt(dir: number, name: string): Attribute[] {
    syscall("fchdir", dir);
    const names = this.#list;
    const size = syscall("llistxattr", this.#put(name), names, names.length);
    if (size <= 0) return [];
    const found: Attribute[] = [];
    for (const attribute of names
      .toString("latin1", 0, size - 1)
      .split("\0")
      .toSorted()) {
      const value = Buffer.alloc(attributeMax);
      const length = syscall("lgetxattr", this.#put(name), this.#putOther(attribute), value, value.length);
      if (length >= 0) found.push({ name: attribute, value: value.subarray(0, length) });
    }
    return found;
  }

  /** Whether overlayfs hides what the layers below have in this directory. */
  isOpaque(fd: number): boolean {
    const value = Buffer.alloc(8);
    return (
      syscall("fgetxattr", fd, this.#put("trusted.overlay.opaque"), value, value.length) === 1 && value[0] === 0x79
    );
  }

  readLink(dir: number, name: string): string {
    const target = Buffer.alloc(4096);
    const size = this.#must("readlinkat", name, syscall("readlinkat", dir, this.#put(name), target, target.length));
    return target.toString("latin1", 0, size);
  }

  /** Of the link itself; the empty name means `dir`. Undefined where there is nothing. */
  stat(dir: number, name: string): Stat | undefined {
    const flags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_STATX_DONT_SYNC;
    const result = syscall("statx", dir, this.#put(name), flags, STATX_BASIC_STATS, this.#stat);
    if (result === -ENOENT) return undefined;
    this.#must("statx", name, result);
    const s = this.#stat; // struct statx
    return {
      nlink: s.readUInt32LE(16),
      uid: this.#inside("uids", s.readUInt32LE(20)),
      gid: this.#inside("gids", s.readUInt32LE(24)),
      mode: s.readUInt16LE(28),
      size: Number(s.readBigUInt64LE(40)),
      allocated: Number(s.readBigUInt64LE(48)) * 512,
      seconds: Number(s.readBigInt64LE(112)),
      nanoseconds: s.readUInt32LE(120),
      major: s.readUInt32LE(128),
      minor: s.readUInt32LE(132),
      identity: `${s.readUInt32LE(136)}:${s.readUInt32LE(140)}:${s.readBigUInt64LE(32)}`,
    };
  }

  /** The error for a negated errno. */
  fail(call: SyscallName, path: string, negated: number): SyscallError {
    return new SyscallError({ doing: this.#doing, call, args: show(path), errno: -negated });
  }

  #outside(inUid: number, inGid: number): { uid: number; gid: number } | undefined {
    if (this.#ids === undefined) return { uid: inUid, gid: inGid };
    const uid = toOutside(this.#ids.uids, inUid);
    const gid = toOutside(this.#ids.gids, inGid);
    return uid === undefined || gid === undefined ? undefined : { uid, gid };
  }

  #inside(kind: "uids" | "gids", id: number): number {
    return this.#ids === undefined ? id : toInside(this.#ids[kind], id);
  }

  #must(call: SyscallName, path: string, result: number): number {
    if (result < 0) throw this.fail(call, path, result);
    return result;
  }

  #put(name: string): Buffer {
    this.#name[this.#name.write(name, 0, this.#name.length - 1, "latin1")] = 0;
    return this.#name;
  }

  #putOther(name: string): Buffer {
    this.#other[this.#other.write(name, 0, this.#other.length - 1, "latin1")] = 0;
    return this.#other;
  }

  #putTime(seconds: number, nanoseconds: number): BigUint64Array {
    this.#times[0] = this.#times[2] = BigInt.asUintN(64, BigInt(seconds));
    this.#times[1] = this.#times[3] = BigInt(nanoseconds);
    return this.#times;
  }
}

/** A name for people. */
export function show(path: string): string {
  return Buffer.from(path, "latin1").toString("utf8");
}
