/** Listening sockets that another process opened for this one (sd_listen_fds(3)). */
import { closeFd } from "./descriptor.ts";
import { checked, syscall } from "./libc.ts";

export interface InheritedSocket {
  readonly fd: number;
  /** FileDescriptorName= of the socket unit; "unknown" where none was given. */
  readonly name: string;
}

/** A socket's own address, as far as it matters who can reach it. */
export type Reach =
  { readonly kind: "unix" } | { readonly kind: "tcp"; readonly address: string; readonly port: number };

const FIRST_FD = 3;
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_ACCEPTCONN = 30;

/**
 * What was passed to the process `pid`, by LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES. Takes the variables out of
 * `env`, so that no child believes that they are meant for it, and marks the sockets not to be inherited further.
 */
export function inheritedSockets(env: Record<string, string | undefined>, pid: number): InheritedSocket[] {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = env;
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"]) delete env[name];
  if (Number(LISTEN_PID) !== pid) return [];
  const names = LISTEN_FDNAMES?.split(":") ?? [];
  const sockets = Array.from({ length: Number(LISTEN_FDS) || 0 }, (_, i) => ({
    fd: FIRST_FD + i,
    name: names[i] || "unknown",
  }));
  for (const { fd, name } of sockets) {
    checked(`cannot use the inherited socket ${name}`, `fd ${fd}`, "fcntl", fd, F_SETFD, FD_CLOEXEC);
  }
  return sockets;
}

/** Where a listening stream socket can be reached, having made it non-blocking; undefined for any other descriptor. */
export function prepareListening(fd: number): Reach | undefined {
  const listening = new Int32Array(1);
  const size = new Int32Array([4]);
  if (syscall("getsockopt", fd, SOL_SOCKET, SO_ACCEPTCONN, listening, size) < 0 || listening[0] !== 1) return undefined;
  const address = new Uint8Array(128);
  const length = new Int32Array([address.length]);
  if (syscall("getsockname", fd, address, length) < 0) return undefined;
  const flags = checked("cannot use an inherited socket", `fd ${fd}`, "fcntl", fd, F_GETFL);
  checked("cannot use an inherited socket", `fd ${fd}`, "fcntl", fd, F_SETFL, flags | O_NONBLOCK);
  const view = new DataView(address.buffer);
  const family = view.getUint16(0, true);
  const port = view.getUint16(2);
  if (family === AF_UNIX) return { kind: "unix" };
  if (family === AF_INET) return { kind: "tcp", address: [...address.subarray(4, 8)].join("."), port };
  if (family !== AF_INET6) return undefined;
  const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(8 + 2 * i).toString(16)).join(":");
  return { kind: "tcp", address: groups === "0:0:0:0:0:0:0:1" ? "::1" : groups, port };
}

/** Closes what was inherited and nobody asked for. */
export function closeSockets(sockets: Iterable<InheritedSocket>): void {
  for (const { fd } of sockets) closeFd(fd);
}
