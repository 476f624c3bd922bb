/** The networks that users see: predefined and their own, listed, inspected, created, removed and pruned. */
import type {
  EndpointResource,
  NetworkCreateBody,
  NetworkCreateResponse,
  NetworkInspect,
  NetworksPruneResponse,
} from "#api/types/network.ts";
import { EngineError } from "#lib/errors.ts";
import { contains, formatIpv4, formatPrefix, type Ipv4Prefix, networkOf, overlap, parsePrefix } from "#lib/ipv4.ts";
import type { Logger } from "#lib/log.ts";
import type { Netlink } from "#linux/netlink.ts";
import { DOCKER_POOLS, pickSubnet } from "./address-space.ts";
import type { BridgeNetworks } from "./bridge-networks.ts";
import { routedSubnets } from "./bridges.ts";
import type { ForwardGuard } from "./forward-guard.ts";
import { randomId } from "./names.ts";
import { defaultBridgeOptions, networkFromBody, PREDEFINED } from "./network-config.ts";
import { type Filters, matcher, olderThan } from "./network-filters.ts";
import { assertShares, vlanOf } from "./parent-config.ts";
import type { ParentDevice } from "./parent-links.ts";
import { lookup } from "./plan.ts";
import type { BridgeConfig, NetworkRecord, NetworkStore } from "./store.ts";
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
            IPv6Address: "",
          },
        ]),
    );
    return describe(network, Object.fromEntries(containers));
  }

  create(body: NetworkCreateBody): NetworkCreateResponse {
    const { store, netlink, bridges, guard, options, emit } = this.#parts;
    const record = networkFromBody(body, () => pickSubnet(options.pools ?? DOCKER_POOLS, this.#usedSubnets(netlink)));
    const networks = [...store.networks.values()];
    if (networks.some(({ name }) => name === record.name)) {
      throw new EngineError("conflict", `network with name ${record.name} already exists`);
    }
    const { bridge } = record;
    if (bridge === undefined) throw new EngineError("internal", `network ${record.name} has no bridge`);
    if (networks.some((other) => other.bridge !== undefined && overlap(other.bridge.subnet, bridge.subnet))) {
      throw new EngineError("forbidden", "invalid pool request: Pool overlaps with other one on this address space");
    }
    if (bridge.parent !== undefined) this.#claimParent({ ...bridge, parent: bridge.parent }, networks);
    else if (networks.some((other) => other.bridge?.device === bridge.device) || this.#hostHas(bridge.device)) {
      throw new EngineError(
        "conflict",
        `cannot create network ${record.name}: the interface ${bridge.device} exists already`,
      );
    }
    // The row comes first: should the daemon die here, recovery finds what to make, and remove what to remove.
    store.putNetwork(record);
    try {
      bridges.add({ ...record, bridge });
    } catch (error) {
      store.removeNetwork(record.id);
      throw error;
    }
    guard.update();
    emit("create", record.id, { name: record.name, type: record.driver });
    return { Id: record.id, Warning: "" };
  }

  remove(ref: string): void {
    const { store } = this.#parts;
    const network = lookup(store, ref);
    if (PREDEFINED.includes(network.name)) {
      throw new EngineError("forbidden", `${network.name} is a pre-defined network and cannot be removed`);
    }
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
    const { store, log } = this.#parts;
    for (const [name, driver] of [
      ["host", "host"],
      ["none", "null"],
    ] as const) {
      if (store.find(name) === undefined) store.putNetwork(predefined(name, driver));
    }
    const before = store.find("bridge");
    const wanted = this.#defaultBridge(before?.bridge);
    if (Bun.deepEquals(before?.bridge, wanted)) return;
    if (before?.bridge !== undefined) {
      if (store.attached(before.id).length > 0) {
        log.warn({ bridge: before.bridge.device }, "the default bridge keeps its settings until no container uses it");
        return;
      }
      this.#parts.bridges.remove({ ...before, bridge: before.bridge });
    }
    const config = [
      {
        Subnet: formatPrefix(networkOf(wanted.subnet)),
        ...(wanted.range !== undefined && { IPRange: formatPrefix(wanted.range) }),
        Gateway: formatIpv4(wanted.gateway),
      },
    ];
    store.putNetwork({
      ...(before ?? predefined("bridge", "bridge")),
      options: defaultBridgeOptions(wanted),
      ipam: { Driver: "default", Options: null, Config: config },
      bridge: wanted,
    });
  }

  #defaultBridge(before: BridgeConfig | undefined): BridgeConfig {
    const { device, options, netlink } = this.#parts;
    const { range, ...asked } = options.defaultBridge ?? {};
    const fixed = {
      device,
      reserved: [],
      connected: true,
      masquerade: true,
      mtu: 0,
      hostBinding: 0,
      interfacePrefix: "eth",
      ...asked,
      ...(range !== undefined && { range }),
    };
    if (options.bip !== undefined) {
      const bip = parsePrefix(options.bip);
      if (bip === undefined || bip.prefix > 30 || networkOf(bip).address === bip.address) {
        throw new EngineError(
          "invalid",
          `invalid --bip ${options.bip}: give an address with its prefix, as 192.168.5.1/24`,
        );
      }
      return within({ ...fixed, subnet: networkOf(bip), gateway: bip.address });
    }
    if (before !== undefined) return within({ ...fixed, subnet: before.subnet, gateway: before.gateway });
    const subnet = pickSubnet(options.pools ?? DOCKER_POOLS, this.#usedSubnets(netlink));
    return within({ ...fixed, subnet, gateway: subnet.address + 1 });
  }

  #usedSubnets(netlink: Netlink): Ipv4Prefix[] {
    const own = [...this.#parts.store.networks.values()].flatMap(({ bridge }) =>
      bridge === undefined ? [] : [bridge.subnet],
    );
    return [...routedSubnets(netlink), ...own];
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
    emit("destroy", network.id, { name: network.name, type: network.driver });
  }
}

function within(bridge: BridgeConfig): BridgeConfig {
  const { range, subnet } = bridge;
  if (range === undefined || (contains(subnet, range.address) && range.prefix >= subnet.prefix)) return bridge;
  throw new EngineError(
    "invalid",
    `invalid --fixed-cidr ${formatPrefix(range)}: it is no part of the default bridge's subnet ${formatPrefix(subnet)}`,
  );
}

function predefined(name: string, driver: NetworkRecord["driver"]): NetworkRecord {
  return {
    id: randomId(),
    name,
    driver,
    created: new Date().toISOString(),
    ipam: { Driver: "default", Options: null, Config: null },
    chosenSubnet: false,
    internal: false,
    attachable: false,
    options: {},
    labels: {},
  };
}

function describe(network: NetworkRecord, containers: Record<string, EndpointResource>): NetworkInspect {
  return {
    Name: network.name,
    Id: network.id,
    Created: network.created,
    Scope: "local",
    Driver: network.driver,
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: network.ipam,
    Internal: network.internal,
    Attachable: network.attachable,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Containers: containers,
    Options: network.options,
    Labels: network.labels,
  };
}
