/** Gives every container its network: predefined and user-defined networks, sandboxes and published ports. */
import type { Database } from "bun:sqlite";
import type {
  EndpointSettings,
  NetworkCreateBody,
  NetworkCreateResponse,
  NetworkInspect,
  NetworksPruneResponse,
} from "#api/types/network.ts";
import { EngineError } from "#lib/errors.ts";
import type { NamespaceWorker } from "#linux/namespaces.ts";
import type { Logger } from "#lib/log.ts";
import type { Layout, } from "#store/layout.ts";
import type { Endpoint, InterfaceCounters, NetworkOptions, Sandbox, SandboxRequest } from "./types.ts";

export interface NetworkParts {
  db: Database;
  layout: Layout;
  /** Stays the caller's to close, after this service. */
  namespaces: NamespaceWorker;
  log: Logger;
  /** Docker's network events: create, destroy, connect, disconnect. */
  emit: (action: string, id: string, attributes: Record<string, string>) => void;
  options?: NetworkOptions;
}

/**
 * Networks and the sandboxes of running containers. State survives in the database; links, routes and
 * nftables elements are rebuilt from it by `recover`, which must be called once, before anything else.
 *
 * Messages are Docker's. A network is named by name, id or unambiguous prefix of an id;
 * an unknown one rejects with kind "not-found": `network x not found`.
 */
export class NetworkService {
  constructor(parts: NetworkParts) {
    throw new EngineError("not-implemented", `networks in ${parts.layout.execRoot}`);
  }

  /**
   * Brings the kernel into line with the database: bridges, table, maps and ports of the sandboxes of `live`
   * containers; removes links, namespaces, leases and elements of all others. Starts the background work.
   */
  declare recover: (live: Iterable<string>) => Promise<void>;
  /** Stops background work and removes warm sandboxes. Bridges, table and live sandboxes stay. */
  declare close: () => Promise<void>;

  /** Filters: driver, id, label, name, scope, type, dangling. Containers is empty, as Docker's list has it. */
  declare list: (filters: Readonly<Record<string, readonly string[]>>) => NetworkInspect[];
  declare inspect: (network: string) => NetworkInspect;
  /** Refuses what is not supported (IPv6, other drivers) with Docker's wording; "conflict" for a taken name. */
  declare create: (body: NetworkCreateBody) => Promise<NetworkCreateResponse>;
  /** Kind "forbidden" for predefined networks and for those with active endpoints. */
  declare remove: (network: string) => Promise<void>;
  /** Removes user-defined networks without running containers that `inUse` (ids and names) does not hold. Filters: until, label. */
  declare prune: (
    filters: Readonly<Record<string, readonly string[]>>,
    inUse: ReadonlySet<string>,
  ) => Promise<NetworksPruneResponse>;

  /** Throws what `allocate` would throw for unknown networks and impossible endpoint settings; changes nothing. */
  declare validate: (request: Omit<SandboxRequest, "containerId" | "name" | "hostname">) => void;
  /**
   * Makes the container's sandbox, or answers the one it has. Rejects with all undone.
   * Errors start with Docker's `failed to set up container networking: `.
   */
  declare allocate: (request: SandboxRequest) => Promise<Sandbox>;
  /** Ends the sandbox: ports are free on return, the namespace goes in the background. Does nothing where there is none. */
  declare release: (containerId: string) => Promise<void>;
  /** The sandbox of a running container. */
  declare sandbox: (containerId: string) => Sandbox | undefined;
  /**
   * Attaches a container. A running one gets its interface now; for a stopped one this only validates
   * and answers undefined: the caller keeps the settings for the next `allocate`.
   */
  declare connect: (
    network: string,
    container: { id: string; name: string; hostname: string },
    settings: Partial<EndpointSettings>,
  ) => Promise<Endpoint | undefined>;
  /** Detaches a running container. Answers the network's name; "false" for a container that is not attached here. */
  declare disconnect: (network: string, containerId: string) => Promise<{ name: string; id: string; detached: boolean }>;

  /** Counters by interface name inside the container, for its own sandbox; empty where it has none. */
  declare counters: (containerId: string) => Record<string, InterfaceCounters>;
  /** What on this host blocks the containers' forwarded packets, and the command that opens it. */
  declare forwardWarnings: () => string[];
}
