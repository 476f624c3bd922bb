/** Claims host ports by sockets that are bound but never listen, so that other programs see them taken. */
import { EngineError } from "#lib/errors.ts";
import { formatIpv4 } from "#lib/ipv4.ts";
import { closeFd } from "#linux/descriptor.ts";
import { checked, O_CLOEXEC } from "#linux/libc.ts";
import { hasErrno, SyscallError } from "#linux/syscall-error.ts";
import type { PortRequest, Protocol, PublishedPort } from "./ports.ts";

type HostPort = Pick<PublishedPort, "protocol" | "hostAddress" | "hostPort">;

/** The ports of all containers of this daemon, by which a port in use is told from one that a container has. */
export class PortBook {
  readonly #taken = new Set<HostPort>();

  /** Whether a container has the port on one of these addresses. */
  holds({ protocol, hostAddress, hostPort }: HostPort): boolean {
    return [...this.#taken].some(
      (one) =>
        one.hostPort === hostPort &&
        one.protocol === protocol &&
        (one.hostAddress === hostAddress || one.hostAddress === 0 || hostAddress === 0),
    );
  }

  add(port: HostPort): void {
    this.#taken.add(port);
  }

  remove(port: HostPort): void {
    this.#taken.delete(port);
  }
}

/**
 * The claimed ports of one container. nftables redirects packets before they could reach a socket, so these
 * receive nothing; they make the kernel pick free random ports and refuse taken ones without a race.
 */
export class PortClaims implements Disposable {
  readonly #book: PortBook;
  readonly #claims: { port: HostPort; socket: number | undefined }[] = [];

  constructor(book: PortBook) {
    this.#book = book;
  }

  /**
   * Claims the first free port of each request. `containerAddress` is for messages. Throws kind "internal" (as Docker
   * answers 500) where there is none: `Bind for … failed: port is already allocated` where a container of this daemon
   * has it, else `failed to bind host port for …`.
   */
  claim(requests: readonly PortRequest[], containerAddress: string): PublishedPort[] {
    return requests.map((request) => {
      const { protocol, containerPort, hostAddress, hostPorts } = request;
      let failure: unknown;
      for (let wanted = hostPorts.first; wanted <= hostPorts.last; wanted++) {
        if (this.#book.holds({ protocol, hostAddress, hostPort: wanted })) continue;
        try {
          const { hostPort, socket } =
            wanted === 0
              ? this.#bindAny(protocol, hostAddress)
              : { hostPort: wanted, socket: bind(protocol, hostAddress, wanted) };
          this.#enter({ protocol, hostAddress, hostPort }, socket);
          return { protocol, containerPort, hostAddress, hostPort };
        } catch (error) {
          failure = error;
          if (!hasErrno(error, EADDRINUSE)) break;
        }
      }
      throw refusal(request, containerAddress, failure);
    });
  }

  /** Claims the port of a container that has it already; false where another program has taken it meanwhile. */
  keep(port: HostPort): boolean {
    let socket: number | undefined;
    try {
      socket = bind(port.protocol, port.hostAddress, port.hostPort);
      return true;
    } catch (error) {
      if (hasErrno(error, EADDRINUSE, EADDRNOTAVAIL)) return false;
      throw error;
    } finally {
      this.#enter(port, socket);
    }
  }

  /** Frees these. */
  release(ports: readonly HostPort[]): void {
    const same = (a: HostPort, b: HostPort): boolean =>
      a.protocol === b.protocol && a.hostAddress === b.hostAddress && a.hostPort === b.hostPort;
    const gone = this.#claims.filter((claim) => ports.some((port) => same(port, claim.port)));
    for (const claim of gone) {
      this.#claims.splice(this.#claims.indexOf(claim), 1);
      this.#free(claim);
    }
  }

  /** Frees all ports. */
  [Symbol.dispose](): void {
    for (const claim of this.#claims.splice(0)) this.#free(claim);
  }

  #enter(port: HostPort, socket: number | undefined): void {
    this.#book.add(port);
    this.#claims.push({ port, socket });
  }

  #free({ port, socket }: { port: HostPort; socket: number | undefined }): void {
    if (socket !== undefined) closeFd(socket);
    this.#book.remove(port);
  }

  /** Lets the kernel pick a free port and claims that: a port bound as 0 would be given up by the `shutdown` below. */
  #bindAny(protocol: Protocol, hostAddress: number): { hostPort: number; socket: number | undefined } {
    for (let attempt = 1; ; attempt++) {
      const hostPort = freePort(protocol, hostAddress);
      if (this.#book.holds({ protocol, hostAddress, hostPort })) continue;
      try {
        return { hostPort, socket: bind(protocol, hostAddress, hostPort) };
      } catch (error) {
        // Somebody was faster.
        if (!hasErrno(error, EADDRINUSE) || attempt === PICK_ATTEMPTS) throw error;
      }
    }
  }
}

/** A socket that has the port; undefined where the kernel has none of that protocol. */
function bind(protocol: Protocol, address: number, port: number): number | undefined {
  const socket = openSocket(protocol);
  if (socket === undefined) return undefined;
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
    return socket;
  } catch (error) {
    closeFd(socket);
    throw error;
  }
}

/** A port that nobody has at the moment. Where the kernel has no sctp, one that no tcp socket has. */
function freePort(protocol: Protocol, address: number): number {
  const socket = openSocket(protocol);
  if (socket === undefined) return freePort("tcp", address);
  try {
    const name = socketAddress(address, 0);
    const shown = `${formatIpv4(address)}:0`;
    checked("cannot find a free port", shown, "bind", socket, name, name.length);
    checked("cannot find a free port", shown, "getsockname", socket, name, new Int32Array([name.length]));
    return new DataView(name.buffer).getUint16(2, false);
  } finally {
    closeFd(socket);
  }
}

function refusal(request: PortRequest, containerAddress: string, failure: unknown): EngineError {
  const { hostAddress, hostPorts } = request;
  if (failure === undefined) {
    const where = `${formatIpv4(hostAddress)}:${hostPorts.first}`;
    const why = hostPorts.first === hostPorts.last ? `Bind for ${where} failed: port is already allocated` : ALL_TAKEN;
    return new EngineError("internal", why);
  }
  const what = `failed to bind host port for ${describe(request, containerAddress)}`;
  return new EngineError("internal", `${what}: ${reason(failure)}`, { cause: failure });
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

const ALL_TAKEN = "all ports are allocated";
const PICK_ATTEMPTS = 16;
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
