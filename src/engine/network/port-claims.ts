/** Claims host ports by sockets that are bound but never listen, so that other programs see them taken. */
import { EngineError } from "#lib/errors.ts";
import { addressBytes, addressOf, ANY, type IpFamily } from "#lib/ip.ts";
import { closeFd } from "#linux/descriptor.ts";
import { checked, O_CLOEXEC } from "#linux/libc.ts";
import { hasErrno, SyscallError } from "#linux/syscall-error.ts";
import { familyOfText } from "./families.ts";
import type { PortRequest, Protocol, PublishedPort } from "./ports.ts";

export type HostPort = Pick<PublishedPort, "protocol" | "hostAddress" | "hostPort">;

/** The ports of all containers of this daemon, by which a port in use is told from one that a container has. */
export class PortBook {
  readonly #taken = new Set<HostPort>();

  /** Whether a container has the port on this address, or one of them is every address of the family. */
  holds({ protocol, hostAddress, hostPort }: HostPort): boolean {
    const any = ANY[familyOfText(hostAddress)];
    return [...this.#taken].some(
      (one) =>
        one.hostPort === hostPort &&
        one.protocol === protocol &&
        (one.hostAddress === hostAddress ||
          one.hostAddress === any ||
          (hostAddress === any && sameFamily(one.hostAddress, any))),
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
   * Claims the first free port of each request, on all its addresses. `containerAddresses` are for messages. Throws
   * kind "internal" (as Docker answers 500) where there is none: `Bind for … failed: port is already allocated` where a
   * container of this daemon has it, else `failed to bind host port for …`. All or none.
   */
  claim(requests: readonly PortRequest[], containerAddresses: Readonly<Record<IpFamily, string>>): PublishedPort[] {
    const published: PublishedPort[] = [];
    try {
      for (const request of requests) published.push(...this.#claimOne(request, containerAddresses));
      return published;
    } catch (error) {
      this.release(published);
      throw error;
    }
  }

  /** What is claimed at the moment. */
  get ports(): HostPort[] {
    return this.#claims.map(({ port }) => port);
  }

  /** Claims the port of a container that has it already; false where another program has taken it meanwhile. */
  keep(port: HostPort): boolean {
    if (port.hostPort === 0) return true;
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

  #claimOne(request: PortRequest, containerAddresses: Readonly<Record<IpFamily, string>>): PublishedPort[] {
    const { protocol, containerPort, hostPorts, direct } = request;
    const isDirect = (address: string): boolean => direct.includes(familyOfText(address));
    const addresses = request.hostAddresses.filter((address) => !isDirect(address));
    const publish = (hostPort: number): PublishedPort[] =>
      request.hostAddresses.map((hostAddress) => ({
        protocol,
        containerPort,
        hostAddress,
        hostPort: isDirect(hostAddress) ? 0 : hostPort,
        ...(request.implied.includes(hostAddress) && { implied: true as const }),
      }));
    if (addresses.length === 0) return publish(0);
    const attempts = hostPorts.first === 0 ? PICK_ATTEMPTS : hostPorts.last - hostPorts.first + 1;
    let failed: { address: string; cause: unknown } | undefined;
    for (let i = 0; i < attempts; i++) {
      // A port bound as 0 would be given up by the `shutdown` in `bind`.
      const hostPort = hostPorts.first === 0 ? this.#anyFree(protocol, addresses) : hostPorts.first + i;
      const refused = this.#claimOn(protocol, addresses, hostPort);
      if (refused === undefined) return publish(hostPort);
      failed = refused;
      if (refused.cause !== undefined && !hasErrno(refused.cause, EADDRINUSE)) break;
    }
    throw refusal(request, containerAddresses, failed);
  }

  /** Claims one port on all addresses, or answers which refused, and why; no cause where a container has it. */
  #claimOn(
    protocol: Protocol,
    addresses: readonly string[],
    hostPort: number,
  ): { address: string; cause: unknown } | undefined {
    const held = addresses.find((hostAddress) => this.#book.holds({ protocol, hostAddress, hostPort }));
    if (held !== undefined) return { address: held, cause: undefined };
    const claimed: HostPort[] = [];
    for (const hostAddress of addresses) {
      const port = { protocol, hostAddress, hostPort };
      try {
        this.#enter(port, bind(protocol, hostAddress, hostPort));
        claimed.push(port);
      } catch (cause) {
        this.release(claimed);
        return { address: hostAddress, cause };
      }
    }
    return undefined;
  }

  /** What the kernel would pick on the first address. */
  #anyFree(protocol: Protocol, [address = ANY[4]]: readonly string[]): number {
    return freePort(protocol, address);
  }
}

/** A socket that has the port; undefined where the kernel has none of that protocol. */
function bind(protocol: Protocol, address: string, port: number): number | undefined {
  const socket = openSocket(protocol, familyOfText(address));
  if (socket === undefined) return undefined;
  try {
    const name = socketAddress(address, port);
    const shown = hostAndPort(address, port);
    // A listener's leftovers in TIME_WAIT must not count, a socket of another program must: the kernel
    // checks that for real at listen, which is undone at once so that nothing can connect here.
    if (protocol === "tcp") setReuse(socket, true);
    setOnlyIpv6(socket, address);
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
function freePort(protocol: Protocol, address: string): number {
  const socket = openSocket(protocol, familyOfText(address));
  if (socket === undefined) return freePort("tcp", address);
  try {
    const name = socketAddress(address, 0);
    const shown = hostAndPort(address, 0);
    setOnlyIpv6(socket, address);
    checked("cannot find a free port", shown, "bind", socket, name, name.length);
    checked("cannot find a free port", shown, "getsockname", socket, name, new Int32Array([name.length]));
    return new DataView(name.buffer).getUint16(2, false);
  } finally {
    closeFd(socket);
  }
}

function refusal(
  request: PortRequest,
  containerAddresses: Readonly<Record<IpFamily, string>>,
  failed: { address: string; cause: unknown } | undefined,
): EngineError {
  const { hostPorts } = request;
  const { address = request.hostAddresses[0] ?? ANY[4], cause } = failed ?? {};
  if (cause === undefined) {
    const where = `${address}:${hostPorts.first}`;
    const why = hostPorts.first === hostPorts.last ? `Bind for ${where} failed: port is already allocated` : ALL_TAKEN;
    return new EngineError("internal", why);
  }
  const what = `failed to bind host port for ${describe(request, address, containerAddresses[familyOfText(address)])}`;
  return new EngineError("internal", `${what}: ${reason(cause)}`, { cause });
}

/** Undefined where this kernel has no such sockets (sctp): then nothing else can have the port either. */
function openSocket(protocol: Protocol, family: IpFamily): number | undefined {
  const { type, number } = SOCKETS[protocol];
  try {
    const doing = `cannot open a ${protocol} socket`;
    return checked(doing, protocol, "socket", AF[family], type | O_CLOEXEC, number);
  } catch (error) {
    if (protocol === "sctp" && hasErrno(error, EPROTONOSUPPORT)) return undefined;
    throw error;
  }
}

/** Else `::` would take the port of IPv4 too. */
function setOnlyIpv6(socket: number, address: string): void {
  if (familyOfText(address) === 6) set(socket, "IPV6_V6ONLY", IPPROTO_IPV6, IPV6_V6ONLY, true);
}

function setReuse(socket: number, on: boolean): void {
  set(socket, "SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, on);
}

function set(socket: number, shown: string, level: number, option: number, on: boolean): void {
  const value = new Int32Array([Number(on)]);
  checked("cannot configure a socket", shown, "setsockopt", socket, level, option, value, 4);
}

/** sockaddr_in or sockaddr_in6. */
function socketAddress(text: string, port: number): Uint8Array {
  const address = addressOf(text);
  const bytes = new Uint8Array(address.family === 4 ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF[address.family], true);
  view.setUint16(2, port, false);
  bytes.set(addressBytes(address), address.family === 4 ? 4 : 8);
  return bytes;
}

function sameFamily(a: string, b: string): boolean {
  return familyOfText(a) === familyOfText(b);
}

function hostAndPort(address: string, port: number | string): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** As Docker's port bindings read in its messages. */
function describe(
  { protocol, containerPort, hostPorts: { first, last } }: PortRequest,
  host: string,
  container: string,
): string {
  const range = first === last ? (first === 0 ? "" : String(first)) : `${first}-${last}`;
  return `${hostAndPort(host, range)}:${hostAndPort(container, containerPort)}/${protocol}`;
}

function reason(failure: unknown): string {
  if (!(failure instanceof SyscallError)) return String(failure);
  if (failure.errno === EADDRINUSE) return "address already in use";
  return failure.errno === EADDRNOTAVAIL ? "cannot assign requested address" : failure.message;
}

const ALL_TAKEN = "all ports are allocated";
const PICK_ATTEMPTS = 16;
const AF = { 4: 2, 6: 10 } as const satisfies Record<IpFamily, number>;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
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
