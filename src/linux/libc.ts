/** The one door to the kernel: every system call of the program goes through libc's `syscall` by FFI. */
import { dlopen, FFIType, type Pointer, read } from "bun:ffi";
import { EngineError } from "#lib/errors.ts";
import { EINTR, SyscallError } from "./syscall-error.ts";

/** A number, a buffer the kernel reads or fills, or NULL. Pass paths through `cString`. */
export type Argument = number | Uint8Array | Int32Array | Uint32Array | BigUint64Array | null;

/**
 * Calls the kernel and returns its answer, or the negative errno (so `-ENOENT`) when it refuses. EINTR is retried.
 *
 * Blocks the calling thread. Costs 0.3 µs and what the kernel takes.
 */
export function syscall(name: SyscallName, ...args: readonly Argument[]): number {
  const { invoke, errno } = open();
  const number = NUMBERS[name][ARCHITECTURE];
  for (;;) {
    const result = invoke(number, args[0] ?? 0, args[1] ?? 0, args[2] ?? 0, args[3] ?? 0, args[4] ?? 0, args[5] ?? 0);
    if (result !== -1) return result;
    // An intrinsic load from this thread's errno, so nothing can run in between and overwrite it.
    const code = read.i32(errno, 0);
    if (code !== EINTR) return -code;
  }
}

/** As `syscall`, but throws a SyscallError that opens with `doing`; `shown` are the arguments as a person reads them. */
export function checked(doing: string, shown: string, name: SyscallName, ...args: readonly Argument[]): number {
  const result = syscall(name, ...args);
  if (result < 0) throw new SyscallError({ doing, call: name, args: shown, errno: -result });
  return result;
}

/** NUL-terminated UTF-8. Throws kind "invalid" where the text itself holds a NUL, which would cut it short. */
export function cString(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(`${text}\0`);
  if (bytes.indexOf(0) !== bytes.length - 1) {
    throw new EngineError("invalid", `invalid argument ${JSON.stringify(text)}: it contains a NUL character`);
  }
  return bytes;
}

/** Means "the current directory", which absolute paths ignore. */
export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_EMPTY_PATH = 0x1000;
export const AT_RECURSIVE = 0x8000;

// open(2) flags that are the same on both architectures; the others are in `constants` of node:fs.
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;

type Invoke = (number: number, a: Argument, b: Argument, c: Argument, d: Argument, e: Argument, f: Argument) => number;

interface Libc {
  readonly invoke: Invoke;
  readonly errno: Pointer;
}

// The handle of the C library, which lives as long as the thread. Each worker has its own copy of this
// module, hence the address of its own thread's errno.
let opened: Libc | undefined;

function open(): Libc {
  return (opened ??= load());
}

function load(): Libc {
  if (process.platform !== "linux") throw new EngineError("not-implemented", "Berth's engine runs on Linux only");
  const { symbols } = dlopen("libc.so.6", {
    syscall: { args: [FFIType.i64_fast, "ptr", "ptr", "ptr", "ptr", "ptr", "ptr"], returns: FFIType.i64_fast },
    __errno_location: { args: [], returns: "ptr" },
  });
  const errno = symbols.__errno_location();
  if (typeof errno !== "number") throw new EngineError("internal", "cannot find errno: no address for it");
  // The declared type wants branded pointers and may answer with a bigint; our numbers stay below 2^53.
  return { invoke: symbols.syscall as unknown as Invoke, errno };
}

const ARCHITECTURE = process.arch === "arm64" ? 1 : 0;

export type SyscallName = keyof typeof NUMBERS;

/** Numbers on [x86_64, aarch64]. Calls that aarch64 lacks (open, mkdir, …) are left out: use the *at form. */
const NUMBERS = {
  read: [0, 63],
  write: [1, 64],
  close: [3, 57],
  lseek: [8, 62],
  ioctl: [16, 29],
  pwrite64: [18, 68],
  madvise: [28, 233],
  getpid: [39, 172],
  sendfile: [40, 71],
  socket: [41, 198],
  connect: [42, 203],
  sendto: [44, 206],
  recvfrom: [45, 207],
  shutdown: [48, 210],
  bind: [49, 200],
  listen: [50, 201],
  getsockname: [51, 204],
  socketpair: [53, 199],
  setsockopt: [54, 208],
  getsockopt: [55, 209],
  kill: [62, 129],
  fcntl: [72, 25],
  flock: [73, 32],
  fsync: [74, 82],
  ftruncate: [77, 46],
  chdir: [80, 49],
  fchdir: [81, 50],
  fchmod: [91, 52],
  fchown: [93, 55],
  umask: [95, 166],
  statfs: [137, 43],
  fstatfs: [138, 44],
  setpriority: [141, 140],
  prctl: [157, 167],
  chroot: [161, 51],
  mount: [165, 40],
  umount2: [166, 39],
  gettid: [186, 178],
  setxattr: [188, 5],
  lsetxattr: [189, 6],
  fsetxattr: [190, 7],
  getxattr: [191, 8],
  lgetxattr: [192, 9],
  fgetxattr: [193, 10],
  listxattr: [194, 11],
  llistxattr: [195, 12],
  flistxattr: [196, 13],
  removexattr: [197, 14],
  lremovexattr: [198, 15],
  fremovexattr: [199, 16],
  getdents64: [217, 61],
  clock_gettime: [228, 113],
  epoll_ctl: [233, 21],
  inotify_add_watch: [254, 27],
  inotify_rm_watch: [255, 28],
  openat: [257, 56],
  mkdirat: [258, 34],
  mknodat: [259, 33],
  fchownat: [260, 54],
  unlinkat: [263, 35],
  linkat: [265, 37],
  symlinkat: [266, 36],
  readlinkat: [267, 78],
  fchmodat: [268, 53],
  unshare: [272, 97],
  ppoll: [271, 73],
  utimensat: [280, 88],
  epoll_pwait: [281, 22],
  fallocate: [285, 47],
  accept4: [288, 242],
  eventfd2: [290, 19],
  epoll_create1: [291, 20],
  dup3: [292, 24],
  pipe2: [293, 59],
  inotify_init1: [294, 26],
  recvmmsg: [299, 243],
  prlimit64: [302, 261],
  syncfs: [306, 267],
  sendmmsg: [307, 269],
  setns: [308, 268],
  renameat2: [316, 276],
  memfd_create: [319, 279],
  copy_file_range: [326, 285],
  statx: [332, 291],
  pidfd_send_signal: [424, 424],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  pidfd_open: [434, 434],
  openat2: [437, 437],
  pidfd_getfd: [438, 438],
  mount_setattr: [442, 442],
  quotactl_fd: [443, 443],
} as const;
