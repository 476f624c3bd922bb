/** Claims host ports by sockets that are bound but never listen, so that other programs see them taken. */
import { EngineError } from "#lib/errors.ts";
import { formatIpv4 } from "#lib/ipv4.ts";
import { closeFd } from "#linux/descriptor.ts";
import { checked, O_CLOEXEC } from "#linux/libc.ts";
import { hasErrno, SyscallError } from "#linux/syscall-error.ts";
import type { PortRequest, Protocol, PublishedPort } from "./ports.ts";

/**
 * The claimed ports of one container. nftables redirects packets before they could reach a socket, so these
 * receive nothing; they make the kernel pick free random ports and refuse taken ones without a race.
 */
export class PortClaims implements Disposable {
  readonly #sockets: number[] = [];

  /**
   * Claims the first free port of each request. `containerAddress` is for messages.
   * Throws kind "internal" (as Docker answers 500) with `failed to bind host port for …` where there is none.
   */
  claim(requests: readonly PortRequest[], containerAddress: string): PublishedPort[] {
    return requests.map((request) => {
      const { protocol, containerPort, hostAddress, hostPorts } = request;
      let failure: unknown;
      for (let port = hostPorts.first; port <= hostPorts.last; port++) {
        try {
          return { protocol, containerPort, hostAddress, hostPort: this.#bind(protocol, hostAddress, port) };
        } catch (error) {
          failure = error;
          if (!hasErrno(error, EADDRINUSE)) break;
        }
      }
      throw new EngineError(
        "internal",
        `failed to bind host port for ${describe(request, containerAddress)}: ${reason(failure)}`,
        {
          cause: failure,
        },
      );
    });
  }

  /** Frees all ports. */
  [Symbol.dispose](): void {
    for (const socket of this.#sockets.splice(0)) closeFd(socket);
  }

  /** Answers the port, which the kernel chooses where `port` is 0. */
  #bind(protocol: Protocol, address: number, port: number): number {
    const socket = openSocket(protocol);
    // A random port is then one that no tcp socket has.
    if (socket === undefined) return port === 0 ? this.#bind("tcp", address, port) : port;
    try {
      const name = socketAddress(address, port);
      const shown = `${formatIpv4(address)}:${port}`;
      // A listener's leftovers in TIME_WAIT must not count, a socket of another program must: the kernel
      // checks that for real at listen, which is undone at once so that nothing can connect here.
      if (protocol === "tcp") setReuse(socket, true);
      checked("cannot claim a port", shown, "bind", socket, name, name.length);
      if (protocol === "tcp") {
        checked("cannot claim a port", shown, "listen", socket, 1);
        checked("cannot claim a port", shown, "shutdown", socket, SHUT_RD);
        setReuse(socket, false);
      }
      checked("cannot read a socket's name", shown, "getsockname", socket, name, new Int32Array([name.length]));
      this.#sockets.push(socket);
      return new DataView(name.buffer).getUint16(2, false);
    } catch (error) {
      closeFd(socket);
      throw error;
    }
  }
}

/** Undefined where this kernel has no such sockets (sctp): then nothing else can have the port either. */
function openSocket(protocol: Protocol): number | undefined {
  const { type, number } = SOCKETS[protocol];
  try {
    return checked(`cannot open a ${protocol} socket`, protocol, "socket", AF_INET, type | O_CLOEXEC, number);
  } catch (error) {
    if (protocol === "sctp" && hasErrno(error, EPROTONOSUPPORT)) return undefined;
    throw error;
  }
}

function setReuse(socket: number, on: boolean): void {
  checked(
    "cannot configure a socket",
    "SO_REUSEADDR",
    "setsockopt",
    socket,
    SOL_SOCKET,
    SO_REUSEADDR,
    new Int32Array([Number(on)]),
    4,
  );
}

/** sockaddr_in. */
function socketAddress(address: number, port: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port, false);
  view.setUint32(4, address, false);
  return bytes;
}

/** As Docker's port bindings read in its messages. */
function describe(
  { protocol, containerPort, hostAddress, hostPorts: { first, last } }: PortRequest,
  container: string,
): string {
  const range = first === last ? (first === 0 ? "" : String(first)) : `${first}-${last}`;
  return `${formatIpv4(hostAddress)}:${range}:${container}:${containerPort}/${protocol}`;
}

function reason(failure: unknown): string {
  if (!(failure instanceof SyscallError)) return String(failure);
  if (failure.errno === EADDRINUSE) return "address already in use";
  return failure.errno === EADDRNOTAVAIL ? "cannot assign requested address" : failure.message;
}

const AF_INET = 2;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SHUT_RD = 0;
const EPROTONOSUPPORT = 93;
const EADDRINUSE = 98;
const EADDRNOTAVAIL = 99;
const SOCKETS: Readonly<Record<Protocol, { type: number; number: number }>> = {
  tcp: { type: 1, number: 6 },
  udp: { type: 2, number: 17 },
  sctp: { type: 1, number: 132 },
};
