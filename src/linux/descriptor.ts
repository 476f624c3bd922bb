/** Raw file descriptors, for what node:fs cannot say: non-blocking ends, device nodes, owners and times of links. */
import {
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  type Argument,
  checked,
  cString,
  O_CLOEXEC,
  O_NONBLOCK,
  syscall,
} from "./libc.ts";
import { EAGAIN, SyscallError } from "./syscall-error.ts";

/** Opens `path`; the caller closes. O_CLOEXEC is always set. `mode` counts only with O_CREAT. */
export function openPath(path: string, flags: number, mode = 0): number {
  return checked(`cannot open ${path}`, path, "openat", AT_FDCWD, cString(path), flags | O_CLOEXEC, mode);
}

/** Closes once and never throws: what a failed close would report, fsync reports better. */
export function closeFd(fd: number): void {
  syscall("close", fd);
}

/** Another descriptor of the same open file, closed by exec; the caller closes it. */
export function duplicateFd(fd: number): number {
  return checked("cannot duplicate a descriptor", `fd ${fd}`, "fcntl", fd, F_DUPFD_CLOEXEC, 3);
}

/** Reads into `buffer`: bytes read, 0 at the end, undefined when a non-blocking descriptor has nothing yet. */
export function readFd(fd: number, buffer: Uint8Array): number | undefined {
  return ready("cannot read", "read", fd, buffer, buffer.length);
}

/** Writes some of `bytes`: how many were taken, undefined when a non-blocking descriptor has no room. */
export function writeFd(fd: number, bytes: Uint8Array): number | undefined {
  return ready("cannot write", "write", fd, bytes, bytes.length);
}

/** How many descriptors this process may have. */
export function descriptorLimit(): number {
  const limits = new BigUint64Array(2);
  checked("cannot read the limit of open files", "", "prlimit64", 0, RLIMIT_NOFILE, null, limits);
  return Number(limits[0]);
}

/** `[read end, write end]`, both O_CLOEXEC; the caller closes both. */
export function pipe(options: { nonBlocking?: boolean } = {}): [readEnd: number, writeEnd: number] {
  const ends = new Int32Array(2);
  checked("cannot make a pipe", "", "pipe2", ends, O_CLOEXEC | (options.nonBlocking ? O_NONBLOCK : 0));
  const [readEnd = -1, writeEnd = -1] = ends;
  return [readEnd, writeEnd];
}

/** Makes a fifo, or with S_IFCHR, S_IFBLK in `mode` a device node, with exactly these permission bits. */
export function makeNode(path: string, mode: number, major = 0, minor = 0): void {
  const doing = `cannot make the node ${path}`;
  checked(doing, path, "mknodat", AT_FDCWD, cString(path), mode, deviceNumber(major, minor));
  // mknod subtracts the umask of the process, which is not ours to change.
  checked(doing, path, "fchmodat", AT_FDCWD, cString(path), mode & 0o7777);
}

/** Sets the owner without following a link at the end of `path`. */
export function lchown(path: string, uid: number, gid: number): void {
  const flags = AT_SYMLINK_NOFOLLOW;
  checked(`cannot change the owner of ${path}`, `${uid}:${gid}`, "fchownat", AT_FDCWD, cString(path), uid, gid, flags);
}

/** The kernel's dev_t, as mknod and statx tell it (glibc's makedev). */
export function deviceNumber(major: number, minor: number): number {
  const low = (minor & 0xff) | ((major & 0xfff) << 8);
  return low + (minor & 0xfff00) * 0x1000;
}

export const S_IFIFO = 0o010000;
export const S_IFCHR = 0o020000;
export const S_IFBLK = 0o060000;

const F_DUPFD_CLOEXEC = 1030;
const RLIMIT_NOFILE = 7;

function ready(doing: string, call: "read" | "write", fd: number, ...rest: Argument[]): number | undefined {
  const result = syscall(call, fd, ...rest);
  if (result === -EAGAIN) return undefined;
  if (result < 0) throw new SyscallError({ doing, call, args: `fd ${fd}`, errno: -result });
  return result;
}
