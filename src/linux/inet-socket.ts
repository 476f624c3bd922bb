/** Non-blocking TCP and UDP sockets as raw descriptors, of the network namespace of the thread that opens them. */
import { closeFd } from "./descriptor.ts";
import { checked, O_CLOEXEC, O_NONBLOCK, syscall } from "./libc.ts";
import { EAGAIN, SyscallError } from "./syscall-error.ts";

/** Four or sixteen bytes; `scope` is the interface that a link-local address is of. */
export interface InetAddress {
  readonly bytes: Uint8Array;
  readonly scope?: number;
}

export type Transport = "udp" | "tcp";

/** Answers its descriptor and port; the caller closes. Port 0 takes a free one. Throws SyscallError, "conflict" for a taken port. */
export function listenAt(transport: Transport, address: InetAddress, port: number): { fd: number; port: number } {
  const doing = `cannot listen on port ${port}/${transport}`;
  const fd = openSocket(transport, address);
  try {
    if (transport === "tcp") setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    // What comes while nobody reads must wait.
    else setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, QUEUE_BYTES);
    const bound = socketAddress(address, port);
    checked(doing, "", "bind", fd, bound, bound.length);
    if (transport === "tcp") checked(doing, "", "listen", fd, BACKLOG);
    return { fd, port: portOf(fd, address) ?? 0 };
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/** The port that a socket is bound to at `address`; undefined where it is not, or no socket at all. */
export function portOf(fd: number, address: InetAddress): number | undefined {
  const own = new Uint8Array(SOCKADDR_BYTES);
  if (syscall("getsockname", fd, own, new Int32Array([own.length])) < 0) return undefined;
  const port = new DataView(own.buffer).getUint16(2, false);
  const expected = socketAddress(address, port);
  return expected.every((byte, i) => own[i] === byte) ? port : undefined;
}

/** A socket that hears only from there. A TCP one is connected, or failed, once it is writable. The caller closes. */
export function connectTo(transport: Transport, address: InetAddress, port: number): number {
  const fd = openSocket(transport, address);
  const peer = socketAddress(address, port);
  const result = syscall("connect", fd, peer, peer.length);
  if (result === 0 || result === -EINPROGRESS) return fd;
  closeFd(fd);
  throw new SyscallError({
    doing: `cannot connect to port ${port}/${transport}`,
    call: "connect",
    args: "",
    errno: -result,
  });
}

/** Undefined where nobody is waiting any more. The caller closes. Throws SyscallError where there are no descriptors left. */
export function acceptFrom(fd: number): number | undefined {
  const result = syscall("accept4", fd, null, null, O_CLOEXEC | O_NONBLOCK);
  if (result >= 0) return result;
  if (result !== -EMFILE && result !== -ENFILE && result !== -ENOMEM && result !== -ENOBUFS) return undefined;
  throw new SyscallError({ doing: "cannot accept a connection", call: "accept4", args: "", errno: -result });
}

/** Bytes sent; undefined where there is no room; throws SyscallError where the other side is gone. */
export function sendBytes(fd: number, bytes: Uint8Array): number | undefined {
  return transferred("cannot send", syscall("sendto", fd, bytes, bytes.length, MSG_NOSIGNAL, null, 0));
}

/** Bytes received, 0 at the end of a stream; undefined where nothing is there; throws SyscallError. */
export function receiveBytes(fd: number, buffer: Uint8Array): number | undefined {
  return transferred("cannot receive", syscall("recvfrom", fd, buffer, buffer.length, 0, null, null));
}

/** Sends a datagram to a raw socket address; what does not fit is lost, as any datagram may be. */
export function sendDatagram(fd: number, bytes: Uint8Array, to: Uint8Array): void {
  syscall("sendto", fd, bytes, bytes.length, MSG_NOSIGNAL, to, to.length);
}

function transferred(doing: string, result: number): number | undefined {
  if (result >= 0) return result;
  if (result === -EAGAIN) return undefined;
  throw new SyscallError({ doing, call: "socket", args: "", errno: -result });
}

function openSocket(transport: Transport, { bytes }: InetAddress): number {
  const family = bytes.length === 4 ? AF_INET : AF_INET6;
  const type = (transport === "udp" ? SOCK_DGRAM : SOCK_STREAM) | O_CLOEXEC | O_NONBLOCK;
  return checked(`cannot open a ${transport} socket`, "", "socket", family, type, 0);
}

function setOption(fd: number, level: number, option: number, value: number): void {
  checked("cannot configure a socket", `option ${option}`, "setsockopt", fd, level, option, new Int32Array([value]), 4);
}

/** struct sockaddr_in or sockaddr_in6. */
function socketAddress({ bytes, scope = 0 }: InetAddress, port: number): Uint8Array {
  const four = bytes.length === 4;
  const address = new Uint8Array(four ? 16 : SOCKADDR_BYTES);
  const view = new DataView(address.buffer);
  view.setUint16(0, four ? AF_INET : AF_INET6, true);
  view.setUint16(2, port, false);
  address.set(bytes, four ? 4 : 8);
  if (!four) view.setUint32(24, scope, true);
  return address;
}

/** sizeof(struct sockaddr_in6), the larger one. */
const SOCKADDR_BYTES = 28;
const BACKLOG = 128;
const QUEUE_BYTES = 1024 * 1024;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_RCVBUFFORCE = 33;
const MSG_NOSIGNAL = 0x4000;
const EINPROGRESS = 115;
const ENOMEM = 12;
const ENFILE = 23;
const EMFILE = 24;
const ENOBUFS = 105;
