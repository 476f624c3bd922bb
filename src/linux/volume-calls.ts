/** The calls that keep everything of a file: both its times, all its attributes, its holes, and its blocks where they can be shared. */
import { ptr } from "bun:ffi";
import { constants } from "node:fs";
import type { Moment, Region } from "./archive-writer.ts";
import { type Attribute, type Stat, TreeCalls } from "./helper-calls.ts";
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, O_CLOEXEC, O_CREAT, O_EXCL, O_NONBLOCK, syscall } from "./libc.ts";
import { ENODATA, ENOENT, ENXIO, EOPNOTSUPP, EPERM } from "./syscall-error.ts";

const SEEK_SET = 0;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const FICLONE = 0x40049409;
const O_NOATIME = 0o1000000;
const STATX_BASIC_STATS = 0x7ff;
/** XATTR_LIST_MAX and XATTR_SIZE_MAX of limits.h. */
const attributeMax = 64 * 1024;

export interface FullStat extends Stat {
  readonly accessed: Moment;
  readonly modified: Moment;
}

/** As `TreeCalls`: names are latin1 strings that stand for bytes, answers are the kernel's. */
export class VolumeCalls extends TreeCalls {
  readonly #stat = Buffer.alloc(256);
  readonly #times = new BigUint64Array(4);
  readonly #offsets = [new BigUint64Array(1), new BigUint64Array(1)] as const;
  readonly #names = Buffer.alloc(attributeMax);
  readonly #value = Buffer.alloc(attributeMax);

  /** Of the name itself; of the descriptor where the name is empty. Undefined where there is nothing. Throws otherwise. */
  fullStat(dir: number, name: string): FullStat | undefined {
    const s = this.#stat; // struct statx
    const result = syscall("statx", dir, text(name), AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, STATX_BASIC_STATS, s);
    if (result === -ENOENT) return undefined;
    if (result < 0) throw this.fail("statx", name, result);
    const moment = (at: number): Moment => ({
      seconds: Number(s.readBigInt64LE(at)),
      nanoseconds: s.readUInt32LE(at + 8),
    });
    const modified = moment(112);
    return {
      nlink: s.readUInt32LE(16),
      uid: s.readUInt32LE(20),
      gid: s.readUInt32LE(24),
      mode: s.readUInt16LE(28),
      size: Number(s.readBigUInt64LE(40)),
      allocated: Number(s.readBigUInt64LE(48)) * 512,
      ...modified,
      modified,
      accessed: moment(64),
      major: s.readUInt32LE(128),
      minor: s.readUInt32LE(132),
      identity: `${s.readUInt32LE(136)}:${s.readUInt32LE(140)}:${s.readBigUInt64LE(32)}`,
    };
  }

  /** A regular file for reading, without a trace of it in its times. */
  openQuietly(dir: number, name: string): number {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | O_NONBLOCK;
    const fd = this.open(dir, name, flags | O_NOATIME);
    return fd === -EPERM ? this.open(dir, name, flags) : fd;
  }

  openFolderQuietly(dir: number, name: string): number {
    const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
    const fd = this.open(dir, name, flags | O_NOATIME);
    return fd === -EPERM ? this.open(dir, name, flags) : fd;
  }

  /** Another descriptor of a folder. */
  reopenQuietly(folder: number): number {
    const fd = this.openFolderQuietly(folder, ".");
    if (fd < 0) throw this.fail("openat", "/", fd);
    return fd;
  }

  makeFile(dir: number, name: string): number {
    return this.open(dir, name, constants.O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600);
  }

  /** Sets both times of the name itself; of the descriptor where the name is null. */
  setTimes(dir: number, name: string | null, accessed: Moment, modified: Moment): number {
    const times = this.#times;
    times[0] = BigInt.asUintN(64, BigInt(accessed.seconds));
    times[1] = BigInt(accessed.nanoseconds);
    times[2] = BigInt.asUintN(64, BigInt(modified.seconds));
    times[3] = BigInt(modified.nanoseconds);
    if (name === null) return syscall("utimensat", dir, null, times, 0);
    return syscall("utimensat", dir, text(name), times, AT_SYMLINK_NOFOLLOW);
  }

  /** Where a file has data, in order; undefined where it has no holes. Throws what the kernel refuses. */
  regions(fd: number, { size, allocated }: Stat, shown: string): Region[] | undefined {
    if (allocated >= size) return undefined;
    const found: Region[] = [];
    for (let at = 0; at < size;) {
      const start = syscall("lseek", fd, at, SEEK_DATA);
      if (start === -ENXIO) break;
      if (start < 0) throw this.fail("lseek", shown, start);
      const end = Math.min(size, syscall("lseek", fd, start, SEEK_HOLE));
      if (end < 0) throw this.fail("lseek", shown, end);
      // It was cut, and its data lies beyond the size that counts.
      if (start >= size) break;
      found.push({ offset: start, size: end - start });
      at = end;
    }
    return found.length === 1 && found[0]?.size === size ? undefined : found;
  }

  /** Reads at an offset from now on. */
  seek(fd: number, offset: number): number {
    return syscall("lseek", fd, offset, SEEK_SET);
  }

  /** Writes all of it: at `offset`, or at the descriptor's own position. 0 or the negated errno. */
  writeBytes(fd: number, bytes: Uint8Array, offset?: number): number {
    return bytes.length === 0 ? 0 : this.write(fd, ptr(bytes), bytes.length, offset);
  }

  /** Lets the file `to` share all blocks of `from`. */
  clone(from: number, to: number): number {
    return syscall("ioctl", to, FICLONE, from);
  }

  /** Copies inside the kernel; bytes that were copied. */
  copyRange(from: number, to: number, offset: number, size: number): number {
    const [source, target] = this.#offsets;
    source[0] = target[0] = BigInt(offset);
    return syscall("copy_file_range", from, source, to, target, size, 0);
  }

  /** All attributes of `dir`/`name` itself, in byte order; of `dir` where the name is empty. Changes the working directory. Throws where one cannot be read. */
  allAttributes(dir: number, name: string): Attribute[] {
    const moved = syscall("fchdir", dir);
    if (moved < 0) throw this.fail("fchdir", name, moved);
    const file = text(name === "" ? "." : name);
    const length = syscall("llistxattr", file, this.#names, this.#names.length);
    if (length === 0 || length === -EOPNOTSUPP || length === -ENOENT) return [];
    if (length < 0) throw this.fail("llistxattr", name, length);
    const names = this.#names.toString("latin1", 0, length - 1).split("\0");
    return names.toSorted().flatMap((attribute) => {
      const size = syscall("lgetxattr", file, text(attribute), this.#value, this.#value.length);
      if (size === -ENODATA || size === -ENOENT) return [];
      if (size < 0) throw this.fail("lgetxattr", `${name} ${attribute}`, size);
      return [{ name: attribute, value: Buffer.from(this.#value.subarray(0, size)) }];
    });
  }

  /** Writes everything of the file system that holds `fd` to the disk. Throws where that fails. */
  sync(fd: number): void {
    const synced = syscall("syncfs", fd);
    if (synced < 0) throw this.fail("syncfs", "", synced);
  }
}

function text(name: string): Uint8Array {
  return Buffer.from(`${name}\0`, "latin1");
}
