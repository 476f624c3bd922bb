/** The one error of the kernel's refusals: which call, with what, and why, in words a person can act on. */
import { EngineError, type ErrorKind } from "#lib/errors.ts";

/** What failed. `doing` opens the message ("cannot mount overlay at /x"), `args` shows the arguments that matter. */
export interface SyscallFailure {
  readonly doing: string;
  readonly call: string;
  readonly args: string;
  readonly errno: number;
  /** The kernel's own explanation, where it gives one (the log of a file system context). */
  readonly detail?: string;
}

/**
 * A system call that the kernel refused. `code` is the errno's name ("ENOENT"), `errno` its number.
 *
 * The message reads `<doing>: <call> <args>: <code> <text>[ (<detail>)]`. The kind follows from the errno:
 * absent things are "not-found", occupied ones "conflict", missing rights "forbidden", exhausted
 * resources "unavailable", calls this kernel lacks "not-implemented", everything else "internal".
 */
export class SyscallError extends EngineError {
  readonly doing: string;
  readonly call: string;
  readonly args: string;
  readonly errno: number;
  readonly code: string;

  constructor(failure: SyscallFailure, options?: ErrorOptions) {
    const { code, kind, text } = describe(failure.errno);
    const shown = failure.args === "" ? failure.call : `${failure.call} ${failure.args}`;
    const detail = failure.detail ? ` (${failure.detail})` : "";
    super(kind, `${failure.doing}: ${shown}: ${code} ${text}${detail}`, options);
    this.name = "SyscallError";
    this.doing = failure.doing;
    this.call = failure.call;
    this.args = failure.args;
    this.errno = failure.errno;
    this.code = code;
  }
}

/** True when `error` is a SyscallError with one of `errnos`. */
export function hasErrno(error: unknown, ...errnos: number[]): error is SyscallError {
  return error instanceof SyscallError && errnos.includes(error.errno);
}

/** In the words of Go programs, which scripts look for: "no such device". */
export function errnoText(errno: number): string {
  const { text } = describe(errno);
  return `${text.charAt(0).toLowerCase()}${text.slice(1)}`;
}

function describe(errno: number): { code: string; kind: ErrorKind; text: string } {
  const known = ERRORS[errno];
  if (known === undefined) return { code: `errno ${errno}`, kind: "internal", text: "Unknown error" };
  const [code, text, kind = "internal"] = known;
  return { code, kind, text };
}

/** Numbers that callers compare with; the same on x86_64 and aarch64. */
export const EPERM = 1;
export const ENOENT = 2;
export const ESRCH = 3;
export const EINTR = 4;
export const ENXIO = 6;
export const EBADF = 9;
export const EAGAIN = 11;
export const EACCES = 13;
export const EBUSY = 16;
export const EEXIST = 17;
export const EXDEV = 18;
export const ENODEV = 19;
export const ENOTDIR = 20;
export const EISDIR = 21;
export const EINVAL = 22;
export const ENOTTY = 25;
export const ENOSPC = 28;
export const EROFS = 30;
export const EPIPE = 32;
export const ERANGE = 34;
export const ENOSYS = 38;
export const ELOOP = 40;
export const ENODATA = 61;
export const EOPNOTSUPP = 95;
export const EAFNOSUPPORT = 97;
export const EADDRINUSE = 98;
export const ECONNRESET = 104;
export const ECONNREFUSED = 111;

// A table rather than strerrorname_np: a call into libc between two others would overwrite errno.
const ERRORS: Readonly<Record<number, readonly [code: string, text: string, kind?: ErrorKind]>> = {
  1: ["EPERM", "Operation not permitted", "forbidden"],
  2: ["ENOENT", "No such file or directory", "not-found"],
  3: ["ESRCH", "No such process", "not-found"],
  4: ["EINTR", "Interrupted system call"],
  5: ["EIO", "Input/output error"],
  6: ["ENXIO", "No such device or address"],
  7: ["E2BIG", "Argument list too long", "invalid"],
  8: ["ENOEXEC", "Exec format error", "invalid"],
  9: ["EBADF", "Bad file descriptor"],
  10: ["ECHILD", "No child processes"],
  11: ["EAGAIN", "Resource temporarily unavailable", "unavailable"],
  12: ["ENOMEM", "Cannot allocate memory", "unavailable"],
  13: ["EACCES", "Permission denied", "forbidden"],
  14: ["EFAULT", "Bad address"],
  15: ["ENOTBLK", "Block device required"],
  16: ["EBUSY", "Device or resource busy", "conflict"],
  17: ["EEXIST", "File exists", "conflict"],
  18: ["EXDEV", "Invalid cross-device link"],
  19: ["ENODEV", "No such device"],
  20: ["ENOTDIR", "Not a directory", "invalid"],
  21: ["EISDIR", "Is a directory", "invalid"],
  22: ["EINVAL", "Invalid argument"],
  23: ["ENFILE", "Too many open files in system", "unavailable"],
  24: ["EMFILE", "Too many open files", "unavailable"],
  25: ["ENOTTY", "Inappropriate ioctl for device"],
  26: ["ETXTBSY", "Text file busy", "conflict"],
  27: ["EFBIG", "File too large", "invalid"],
  28: ["ENOSPC", "No space left on device", "unavailable"],
  29: ["ESPIPE", "Illegal seek"],
  30: ["EROFS", "Read-only file system", "forbidden"],
  31: ["EMLINK", "Too many links"],
  32: ["EPIPE", "Broken pipe", "unavailable"],
  33: ["EDOM", "Numerical argument out of domain"],
  34: ["ERANGE", "Numerical result out of range"],
  35: ["EDEADLK", "Resource deadlock avoided"],
  36: ["ENAMETOOLONG", "File name too long", "invalid"],
  37: ["ENOLCK", "No locks available", "unavailable"],
  38: ["ENOSYS", "Function not implemented", "not-implemented"],
  39: ["ENOTEMPTY", "Directory not empty", "conflict"],
  40: ["ELOOP", "Too many levels of symbolic links", "invalid"],
  61: ["ENODATA", "No data available", "not-found"],
  71: ["EPROTO", "Protocol error"],
  75: ["EOVERFLOW", "Value too large for defined data type"],
  84: ["EILSEQ", "Invalid or incomplete multibyte or wide character", "invalid"],
  87: ["EUSERS", "Too many users", "unavailable"],
  88: ["ENOTSOCK", "Socket operation on non-socket"],
  89: ["EDESTADDRREQ", "Destination address required"],
  90: ["EMSGSIZE", "Message too long", "invalid"],
  92: ["ENOPROTOOPT", "Protocol not available"],
  93: ["EPROTONOSUPPORT", "Protocol not supported", "not-implemented"],
  95: ["EOPNOTSUPP", "Operation not supported", "not-implemented"],
  97: ["EAFNOSUPPORT", "Address family not supported by protocol", "not-implemented"],
  98: ["EADDRINUSE", "Address already in use", "conflict"],
  99: ["EADDRNOTAVAIL", "Cannot assign requested address", "invalid"],
  100: ["ENETDOWN", "Network is down", "unavailable"],
  101: ["ENETUNREACH", "Network is unreachable", "unavailable"],
  103: ["ECONNABORTED", "Software caused connection abort", "unavailable"],
  104: ["ECONNRESET", "Connection reset by peer", "unavailable"],
  105: ["ENOBUFS", "No buffer space available", "unavailable"],
  106: ["EISCONN", "Transport endpoint is already connected"],
  107: ["ENOTCONN", "Transport endpoint is not connected"],
  110: ["ETIMEDOUT", "Connection timed out", "unavailable"],
  111: ["ECONNREFUSED", "Connection refused", "unavailable"],
  113: ["EHOSTUNREACH", "No route to host", "unavailable"],
  114: ["EALREADY", "Operation already in progress"],
  115: ["EINPROGRESS", "Operation now in progress"],
  116: ["ESTALE", "Stale file handle"],
  117: ["EUCLEAN", "Structure needs cleaning"],
  122: ["EDQUOT", "Disk quota exceeded", "unavailable"],
};
