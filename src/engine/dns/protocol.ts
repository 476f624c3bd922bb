/** What the daemon tells the thread that answers DNS queries, and what it hears from it. */
import type { InetAddress } from "#linux/inet-socket.ts";

/** A container's endpoint in a network whose names are served. */
export interface NamedEndpoint {
  readonly network: string;
  readonly networkName: string;
  /** The first is the one that reverse look-ups give. */
  readonly names: readonly string[];
  readonly ipv4?: Uint8Array;
  readonly ipv6?: Uint8Array;
  /** Names that only this container knows, in lower case, and whose they are. */
  readonly links?: Readonly<Record<string, string>>;
}

/** A server to ask what is not known here. */
export interface Upstream extends InetAddress {
  /** Asked from the host's namespace, not from the container's. */
  readonly host: boolean;
}

export interface NamedSandbox {
  readonly id: string;
  /** Path of the network namespace. */
  readonly namespace: string;
  readonly endpoints: readonly NamedEndpoint[];
  /** Undefined: those of the host. */
  readonly servers?: readonly Upstream[];
  /** A way out leads through one of its networks; else nothing is asked from the host's namespace. */
  readonly external: boolean;
  /** The user chose `ndots`: names without a dot are not asked for elsewhere. */
  readonly ndots: boolean;
}

/** Descriptors of the process. */
export interface ServerSockets {
  readonly udp: number;
  readonly tcp: number;
}

/** A process that has the sockets of an earlier daemon, under these numbers. */
export interface SocketHolder extends ServerSockets {
  readonly pid: number;
}

/** Where a server is to be. */
export interface Opening {
  /** Path of the network namespace. */
  readonly namespace: string;
  readonly holder?: SocketHolder;
}

export type DnsRequest =
  /** Serves the sandbox from now on. Answered by `opened`. */
  | ({ readonly do: "open"; readonly id: string } & Opening)
  | { readonly do: "put"; readonly sandbox: NamedSandbox }
  /** Forgets names and closes sockets. */
  | { readonly do: "remove"; readonly id: string }
  /** The host's servers. */
  | { readonly do: "host"; readonly servers: readonly Upstream[] }
  | { readonly do: "stop" };

export type DnsReport =
  /** The sockets stay the thread's; others may duplicate them before `remove`. */
  | { readonly opened: string; readonly sockets: ServerSockets }
  | { readonly failed: string; readonly error: string }
  | { readonly stopped: true };
