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
import type { Logger } from "#lib/log.ts";
import type { Inotify } from "#linux/inotify.ts";
import type { NamespaceWorker } from "#linux/namespaces.ts";
import { linkCounters } from "#linux/netlink-link.ts";
import { Netlink, NETLINK_NETFILTER, NETLINK_ROUTE } from "#linux/netlink.ts";
import { Nftables } from "#linux/nftables.ts";
import type { Layout } from "#store/layout.ts";
import { BridgeNetworks } from "./bridge-networks.ts";
import { Endpoints } from "./endpoints.ts";
import { Firewall } from "./firewall.ts";
import { ForwardGuard } from "./forward-guard.ts";
import { parseExtraHosts } from "./hosts.ts";
import { LinkRepair } from "./link-repair.ts";
import { SandboxLinks } from "./links.ts";
import type { Keep } from "./membership.ts";
import { defaultNames, isDeviceName } from "./names.ts";
import type { Filters } from "./network-filters.ts";
import { Networks } from "./networks.ts";
import type { AppliedPorts, PortChange, SandboxPorts } from "./port-changes.ts";
import { lookup, planAttachment, planSandbox } from "./plan.ts";
import { portWishes } from "./ports.ts";
import { recoverNetworks } from "./recovery.ts";
import { type MonitorOf, Resolver } from "./resolver.ts";
import { RuleWatch } from "./rule-watch.ts";
import { Sandboxes } from "./sandboxes.ts";
import { NetworkStore } from "./store.ts";
import type { Endpoint, InterfaceCounters, NetworkOptions, Sandbox, SandboxRequest } from "./types.ts";

export interface NetworkParts {
  db: Database;
  layout: Layout;
  /** Stays the caller's to close, after this service. */
  namespaces: NamespaceWorker;
  /** Tells of changes to the host's resolv.conf, which else are not followed. */
  changes?: Inotify;
  log: Logger;
  /** Docker's network events: create, destroy, connect, disconnect. */
  emit: (action: string, id: string, attributes: Record<string, string>) => void;
  options?: NetworkOptions;
}

/**
 * Networks and the sandboxes of running containers. State survives in the database (`networkSchema`); links, routes
 * and nftables elements are rebuilt from it by `recover`, which must be called once, before anything else.
 *
 * Messages are Docker's. A network is named by name, id or unambiguous prefix of an id;
 * an unknown one is kind "not-found": `network x not found`.
 */
export class NetworkService {
  readonly #log: Logger;
  readonly #store: NetworkStore;
  readonly #netlink = Netlink.open(NETLINK_ROUTE);
  readonly #netfilter = Netlink.open(NETLINK_NETFILTER);
  readonly #nft = new Nftables();
  readonly #links: SandboxLinks;
  readonly #firewall: Firewall;
  readonly #guard: ForwardGuard;
  readonly #bridges: BridgeNetworks;
  readonly #endpoints: Endpoints;
  readonly #resolver: Resolver;
  readonly #sandboxes: Sandboxes;
  readonly #networks: Networks;
  readonly #repair: LinkRepair;

  /** Throws kind "invalid" for options that cannot be, "unavailable" where libnftables is missing. */
  constructor({ db, layout, namespaces, changes, log, emit, options = {} }: NetworkParts) {
    const names = { ...defaultNames(layout.execRoot), ...options };
    if (!isDeviceName(names.bridge)) throw new EngineError("invalid", `invalid bridge name "${names.bridge}"`);
    if (!/^[A-Za-z_]\w{0,27}$/.test(names.table))
      throw new EngineError("invalid", `invalid nftables table name "${names.table}"`);
    const netlink = this.#netlink;
    const rules = new RuleWatch(this.#nft, this.#netfilter);
    const store = new NetworkStore(db);
    const links = new SandboxLinks(netlink, namespaces, layout);
    const firewall = new Firewall(rules, names.table);
    const guard = new ForwardGuard(rules, firewall, log);
    const bridges = new BridgeNetworks(netlink, firewall);
    const endpoints = new Endpoints({ bridges, links, firewall, namespaces, log });
    const resolver = new Resolver(store, log, changes);
    this.#log = log;
    this.#store = store;
    this.#links = links;
    this.#firewall = firewall;
    this.#guard = guard;
    this.#bridges = bridges;
    this.#endpoints = endpoints;
    this.#resolver = resolver;
    this.#sandboxes = new Sandboxes({ store, endpoints, links, guard, resolver, options, emit, log });
    this.#networks = new Networks({ store, netlink, bridges, guard, device: names.bridge, options, emit, log });
    this.#repair = new LinkRepair({ store, bridges, links, spares: () => this.#sandboxes.spares(), log });
  }

  /**
   * Brings the kernel into line with the database: bridges, table, maps and ports of the sandboxes of `live`
   * containers; removes links, namespaces, leases and elements of all others. Starts the background work.
   */
  async recover(live: Iterable<string>, monitorOf: MonitorOf = () => undefined): Promise<void> {
    const alive = new Set(live);
    for (const id of this.#store.sandboxes.keys()) if (!alive.has(id)) this.#store.removeSandbox(id);
    this.#networks.ensurePredefined();
    await recoverNetworks(
      {
        store: this.#store,
        bridges: this.#bridges,
        links: this.#links,
        endpoints: this.#endpoints,
        firewall: this.#firewall,
        resolver: this.#resolver,
        sandboxes: this.#sandboxes,
        monitorOf,
        log: this.#log,
      },
      alive,
    );
    this.#guard.start();
    this.#repair.start();
    this.#sandboxes.start();
  }

  /**
   * Stops background work, removes warm sandboxes and frees claimed ports. Where no container runs, bridges, table and
   * foreign accepts go too: `recover` makes them again. Else all of that stays for them.
   */
  async close(): Promise<void> {
    this.#guard.stop();
    this.#repair.stop();
    await this.#resolver.close();
    await this.#sandboxes.close();
    await this.#endpoints.settle();
    if (this.#store.sandboxes.size === 0) {
      this.#guard.remove();
      this.#firewall.remove();
      this.#bridges.removeAll();
    }
    this.#nft.close();
    this.#netfilter.close();
    this.#netlink.close();
  }

  /** Filters: driver, id, label, name, scope, type, dangling. Containers is empty, as Docker's list has it. */
  list(filters: Filters): NetworkInspect[] {
    return this.#networks.list(filters);
  }

  inspect(network: string): NetworkInspect {
    return this.#networks.inspect(network);
  }

  /** Refuses what is not supported (other drivers) with Docker's wording; "conflict" for a taken name. */
  async create(body: NetworkCreateBody): Promise<NetworkCreateResponse> {
    return this.#networks.create(body);
  }

  /** Kind "forbidden" for predefined networks and for those with active endpoints. */
  async remove(network: string): Promise<void> {
    this.#networks.remove(network);
  }

  /** Removes user-defined networks without running containers that `inUse` (ids and names) does not hold. Filters: until, label, label!. */
  async prune(filters: Filters, inUse: ReadonlySet<string>): Promise<NetworksPruneResponse> {
    return this.#networks.prune(filters, inUse);
  }

  /** Throws what `allocate` would throw for unknown networks and impossible settings; changes nothing. */
  validate(request: Omit<SandboxRequest, "containerId" | "name" | "hostname">): void {
    planSandbox(this.#store, request);
    portWishes(request.ports ?? {}, request.exposedPorts ?? [], request.publishAll ?? false);
    parseExtraHosts(request.extraHosts ?? [], "0.0.0.0");
  }

  /**
   * Makes the container's sandbox, or answers the one it has. Rejects with all undone.
   * Errors start with Docker's `failed to set up container networking: `.
   */
  allocate(request: SandboxRequest): Promise<Sandbox> {
    return this.#sandboxes.allocate(request);
  }

  /** Ends the sandbox: ports are free on return, the namespace goes in the background. Does nothing where there is none. */
  async release(containerId: string): Promise<void> {
    this.#sandboxes.release(containerId);
  }

  /** The sandbox of a running container. */
  sandbox(containerId: string): Sandbox | undefined {
    return this.#store.sandboxes.get(containerId);
  }

  /**
   * Attaches a container. A running one gets its interface now (its `hosts` text changes); for a stopped one this
   * only validates and answers undefined: the caller keeps the settings for the next `allocate`. `keep` writes down,
   * in one transaction with the endpoint, what must change with it.
   */
  async connect(
    network: string,
    containerId: string,
    settings: Partial<EndpointSettings>,
    keep?: Keep,
  ): Promise<Endpoint | undefined> {
    const attachment = planAttachment(lookup(this.#store, network), settings);
    return await this.#sandboxes.membership.connect(attachment, containerId, keep);
  }

  /** Detaches a running container; `detached` is false for one that is stopped or not attached. */
  async disconnect(
    network: string,
    containerId: string,
    keep?: Keep,
  ): Promise<{ name: string; id: string; detached: boolean }> {
    const record = lookup(this.#store, network);
    const detached = await this.#sandboxes.membership.disconnect(record, containerId, keep);
    return { name: record.name, id: record.id, detached };
  }

  /** Descriptors that the container's monitor is to inherit: a later daemon takes them back (`MonitorOf`). */
  heldSockets(containerId: string): number[] {
    return this.#resolver.sockets(containerId);
  }

  /** A running container has another name now. Does nothing for one that does not run. */
  rename(containerId: string, name: string): void {
    this.#sandboxes.membership.rename(containerId, name);
  }

  /** Publishes and withdraws ports of a running container (see `PortChanges`). */
  changePorts(containerId: string, change: PortChange): AppliedPorts {
    return this.#sandboxes.ports.apply(containerId, change);
  }

  /** For what a crash left half-changed: call it before `recover`. */
  restorePorts(containerId: string, ports: SandboxPorts): void {
    this.#sandboxes.ports.restore(containerId, ports);
  }

  /** What a running container's ports are, for `restorePorts` and to choose from. */
  publishedPorts(containerId: string): SandboxPorts | undefined {
    return this.#store.sandboxes.get(containerId);
  }

  /** Makes the texts of hosts and resolv.conf anew; undefined where the container has none of its own. */
  refreshFiles(request: SandboxRequest): Sandbox | undefined {
    return this.#sandboxes.refresh(request);
  }

  /** Counters by interface name inside the container, of its sandbox or the one it shares; empty where it has none. */
  counters(containerId: string): Record<string, InterfaceCounters> {
    const counters: Record<string, InterfaceCounters> = {};
    let sandbox = this.#store.sandboxes.get(containerId);
    while (sandbox?.sharedWith !== undefined) sandbox = this.#store.sandboxes.get(sandbox.sharedWith);
    for (const endpoint of sandbox?.endpoints ?? []) {
      if (endpoint.interface === "") continue;
      if (endpoint.hostInterface === "") {
        const own = this.#bridges.parents.counters(sandbox?.netnsPath ?? "", endpoint.interface);
        if (own !== undefined) counters[endpoint.interface] = own;
        continue;
      }
      // Read at the host's end, where the directions are the other way round: no namespace need be entered.
      const host = linkCounters(this.#netlink, endpoint.hostInterface);
      if (host === undefined) continue;
      counters[endpoint.interface] = {
        rxBytes: host.txBytes,
        rxPackets: host.txPackets,
        rxErrors: host.txErrors,
        rxDropped: host.txDropped,
        txBytes: host.rxBytes,
        txPackets: host.rxPackets,
        txErrors: host.rxErrors,
        txDropped: host.rxDropped,
      };
    }
    return counters;
  }

  /** What on this host blocks the containers' forwarded packets, and the command that opens it. */
  forwardWarnings(): string[] {
    return this.#guard.warnings;
  }
}
