/** The networks that users see: predefined and their own, listed, inspected, created, removed and pruned. */
import type {
  EndpointResource,
  NetworkCreateBody,
  NetworkCreateResponse,
  NetworkInspect,
  NetworksPruneResponse,
} from "#api/types/network.ts";
import { EngineError, errorKind } from "#lib/errors.ts";
import { type IpFamily, type IpPrefix, overlap, prefixOf } from "#lib/ip.ts";
import type { Logger } from "#lib/log.ts";
import type { Netlink } from "#linux/netlink.ts";
import { pickSubnet, poolsOf } from "./address-pools.ts";
import type { BridgeNetworks } from "./bridge-networks.ts";
import { defaultBridgeOptions, familiesOf } from "./bridge-options.ts";
import { assertHeldByNone, configRecord, withHeldSettings } from "./config-networks.ts";
import { defaultBridge, defaultBridgeIpam } from "./default-bridge.ts";
import { FAMILIES, subnetOf } from "./families.ts";
import type { ForwardGuard } from "./forward-guard.ts";
import { randomId } from "./names.ts";
import { assertName, networkFromBody, PREDEFINED } from "./network-config.ts";
import { type Filters, matcher, olderThan } from "./network-filters.ts";
import { assertShares, vlanOf } from "./parent-config.ts";
import type { ParentDevice } from "./parent-links.ts";
import { lookup } from "./plan.ts";
import { reservedSubnets } from "./reserved-subnets.ts";
import type { NetworkRecord, NetworkStore } from "./store.ts";
import type { NetworkOptions } from "./types.ts";

export interface NetworksParts {
  store: NetworkStore;
  netlink: Netlink;
  bridges: BridgeNetworks;
  guard: ForwardGuard;
  /** Device of the default bridge. */
  device: string;
  options: NetworkOptions;
  emit: (action: string, id: string, attributes: Record<string, string>) => void;
  log: Logger;
}

/** Contracts of the methods: NetworkService, which passes them on. */
export class Networks {
  readonly #parts: NetworksParts;

  constructor(parts: NetworksParts) {
    this.#parts = parts;
  }

  list(filters: Filters): NetworkInspect[] {
    const { store } = this.#parts;
    // Only prune knows it.
    if ("label!" in filters) throw new EngineError("invalid", "invalid filter 'label!'");
    const matches = matcher(filters, (id) => store.attached(id).length > 0);
    return [...store.networks.values()].filter(matches).map((network) => describe(network, {}));
  }

  inspect(ref: string): NetworkInspect {
    const { store } = this.#parts;
    const network = lookup(store, ref);
    const containers = store.attached(network.id).flatMap((sandbox) =>
      sandbox.endpoints
        .filter(({ networkId }) => networkId === network.id)
        .map((endpoint): [string, EndpointResource] => [
          sandbox.containerId,
          {
            Name: sandbox.containerName,
            EndpointID: endpoint.endpointId,
            MacAddress: endpoint.macAddress,
            IPv4Address: endpoint.ipAddress === "" ? "" : `${endpoint.ipAddress}/${endpoint.prefixLength}`,
            IPv6Address: endpoint.ipv6Address === "" ? "" : `${endpoint.ipv6Address}/${endpoint.ipv6PrefixLength}`,
          },
        ]),
    );
    return describe(network, Object.fromEntries(containers));
  }

  create(body: NetworkCreateBody): NetworkCreateResponse {
    const { store, bridges, guard } = this.#parts;
    assertName(body.Name);
    const networks = [...store.networks.values()];
    if (networks.some(({ name }) => name === body.Name)) {
      throw new EngineError("conflict", `network with name ${body.Name} already exists`);
    }
    if (body.ConfigOnly === true) return this.#keep(configRecord(body));
    const record = networkFromBody(
      withHeldSettings(body, (name) => networks.find((network) => network.name === name)),
      (family) => this.#freeSubnet(family),
    );
    const { bridge } = record;
    if (bridge === undefined) throw new EngineError("internal", `network ${record.name} has no bridge`);
    for (const subnet of FAMILIES.flatMap((family) => subnetOf(bridge, family) ?? [])) {
      if (!this.#ownSubnets().some((other) => overlap(other, prefixOf(subnet.subnet)))) continue;
      throw new EngineError("forbidden", "invalid pool request: Pool overlaps with other one on this address space");
    }
    if (bridge.parent !== undefined) this.#claimParent({ ...bridge, parent: bridge.parent }, networks);
    else if (networks.some((other) => other.bridge?.device === bridge.device) || this.#hostHas(bridge.device)) {
      throw new EngineError(
        "conflict",
        `cannot create network ${record.name}: the interface ${bridge.device} exists already`,
      );
    }
    return this.#keep(record, () => {
      bridges.add({ ...record, bridge });
      guard.update();
    });
  }

  /** The row comes first: should the daemon die here, recovery finds what to make, and remove what to remove. */
  #keep(record: NetworkRecord, make: () => void = () => {}): NetworkCreateResponse {
    const { store, emit } = this.#parts;
    store.putNetwork(record);
    try {
      make();
    } catch (error) {
      store.removeNetwork(record.id);
      throw error;
    }
    emit("create", record.id, { name: record.name, type: record.driver });
    return { Id: record.id, Warning: "" };
  }

  remove(ref: string): void {
    const { store } = this.#parts;
    const network = lookup(store, ref);
    if (PREDEFINED.includes(network.name)) {
      throw new EngineError("forbidden", `${network.name} is a pre-defined network and cannot be removed`);
    }
    assertHeldByNone(network, store.networks.values());
    const active = store
      .attached(network.id)
      .flatMap(({ containerName, endpoints }) =>
        endpoints
          .filter(({ networkId }) => networkId === network.id)
          .map(({ endpointId }) => `name:"${containerName}" id:"${endpointId.slice(0, 12)}"`),
      );
    if (active.length > 0) {
      throw new EngineError(
        "forbidden",
        `error while removing network: network ${network.name} has active endpoints (${active.join(", ")})`,
      );
    }
    this.#remove(network);
  }

  prune(filters: Filters, inUse: ReadonlySet<string>): NetworksPruneResponse {
    const { store, emit } = this.#parts;
    const { until = [], ...rest } = filters;
    const unsupported = Object.keys(rest).find((name) => name !== "label" && name !== "label!");
    if (unsupported !== undefined) throw new EngineError("invalid", `invalid filter '${unsupported}'`);
    const matches = matcher(rest, () => false);
    const old = olderThan(until);
    const pruned = [...store.networks.values()].filter(
      (network) =>
        !PREDEFINED.includes(network.name) &&
        network.held === undefined &&
        matches(network) &&
        old(network) &&
        !inUse.has(network.id) &&
        !inUse.has(network.name) &&
        store.attached(network.id).length === 0,
    );
    for (const network of pruned) this.#remove(network);
    emit("prune", "", { reclaimed: "0" });
    return { NetworksDeleted: pruned.length === 0 ? null : pruned.map(({ name }) => name) };
  }

  /** Makes what is missing of bridge, host and none, and follows changed settings of the bridge while the bridge is unused. */
  ensurePredefined(): void {
    const { store, device, options, log } = this.#parts;
    for (const [name, driver] of [
      ["host", "host"],
      ["none", "null"],
    ] as const) {
      if (store.find(name) === undefined) store.putNetwork(predefined(name, driver));
    }
    const before = store.find("bridge");
    const wanted = defaultBridge(device, options, before?.bridge, (family) => this.#freeSubnet(family));
    if (Bun.deepEquals(before?.bridge, wanted)) return;
    if (before?.bridge !== undefined) {
      if (store.attached(before.id).length > 0) {
        log.warn({ bridge: before.bridge.device }, "the default bridge keeps its settings until no container uses it");
        return;
      }
      this.#parts.bridges.remove({ ...before, bridge: before.bridge });
    }
    store.putNetwork({
      ...(before ?? predefined("bridge", "bridge")),
      options: defaultBridgeOptions(wanted),
      ipam: defaultBridgeIpam(wanted),
      bridge: wanted,
    });
  }

  /**
   * One that touches nothing this host reaches. Where the pools have none such left, one that only networks behind
   * others may have: a VPN that claims all private addresses must not end all networks.
   */
  #freeSubnet(family: IpFamily): IpPrefix {
    const { options, netlink } = this.#parts;
    const pools = poolsOf(options.pools, options.hostId ?? "");
    const { near, far } = reservedSubnets(netlink, family);
    const own = this.#ownSubnets();
    try {
      return pickSubnet(pools, family, [...near, ...far, ...own]);
    } catch (error) {
      if (errorKind(error) !== "unavailable") throw error;
      return pickSubnet(pools, family, [...near, ...own]);
    }
  }

  #ownSubnets(): IpPrefix[] {
    return [...this.#parts.store.networks.values()].flatMap(({ bridge }) =>
      bridge === undefined
        ? []
        : FAMILIES.flatMap((family) => subnetOf(bridge, family) ?? []).map(({ subnet }) => prefixOf(subnet)),
    );
  }

  /** Marks the parent as ours where we shall make it, or did for another network. Throws where it cannot serve. */
  #claimParent({ device, parent }: ParentDevice, others: readonly NetworkRecord[]): void {
    const { parents } = this.#parts.bridges;
    assertShares(device, parent.child, others);
    parents.assertSupported(parent.child);
    if (parent.made === "dummy") return;
    const made = others.find(({ bridge }) => bridge?.device === device)?.bridge?.parent?.made;
    if (made !== undefined) parent.made = made;
    if (parents.exists(device)) return;
    vlanOf(device);
    parent.made = "vlan";
  }

  #hostHas(device: string): boolean {
    return this.#parts.bridges.exists(device);
  }

  #remove(network: NetworkRecord): void {
    const { store, bridges, guard, emit } = this.#parts;
    if (network.bridge !== undefined) bridges.remove({ ...network, bridge: network.bridge });
    store.removeNetwork(network.id);
    guard.update();
    if (network.held === undefined) emit("destroy", network.id, { name: network.name, type: network.driver });
  }
}

function predefined(name: string, driver: NetworkRecord["driver"]): NetworkRecord {
  return {
    id: randomId(),
    name,
    driver,
    created: new Date().toISOString(),
    ipam: { Driver: "default", Options: null, Config: null },
    internal: false,
    attachable: false,
    options: {},
    labels: {},
  };
}

function describe(network: NetworkRecord, containers: Record<string, EndpointResource>): NetworkInspect {
  const { held, bridge } = network;
  const families =
    held === undefined
      ? { 4: bridge === undefined || bridge.ipv4 !== undefined, 6: bridge?.ipv6 !== undefined }
      : familiesOf(held, held.Options ?? {});
  return {
    Name: network.name,
    Id: network.id,
    Created: network.created,
    Scope: "local",
    Driver: network.driver,
    EnableIPv4: families[4],
    EnableIPv6: families[6],
    IPAM: network.ipam,
    Internal: network.internal,
    Attachable: network.attachable,
    Ingress: false,
    ConfigFrom: { Network: network.configFrom ?? "" },
    ConfigOnly: held !== undefined,
    Containers: containers,
    Options: network.options,
    Labels: network.labels,
  };
}
