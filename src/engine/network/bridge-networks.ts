/** What the kernel has of each bridge network: device, index, addresses in use. */
import { addressOf, type IpFamily } from "#lib/ip.ts";
import { findLink } from "#linux/netlink-link.ts";
import { deleteNeighbour } from "#linux/netlink-route.ts";
import type { Netlink } from "#linux/netlink.ts";
import { ENOENT, hasErrno } from "#linux/syscall-error.ts";
import { AddressSpace } from "./address-space.ts";
import { bridgePorts, ensureBridge, removeBridge } from "./bridges.ts";
import type { FirewallNetwork } from "./firewall-table.ts";
import type { Firewall } from "./firewall.ts";
import { ParentLinks } from "./parent-links.ts";
import type { BridgeNetwork } from "./plan.ts";
import { enableForwarding } from "./sysctls.ts";

/** A network that is up. */
export interface LiveBridge {
  network: BridgeNetwork;
  /** Of the bridge; 0 where interfaces ride on a parent. */
  index: number;
  /** Of the families that the network has. */
  addresses: Partial<Record<IpFamily, AddressSpace>>;
}

export class BridgeNetworks {
  readonly parents: ParentLinks;
  readonly #netlink: Netlink;
  readonly #firewall: Firewall;
  readonly #live = new Map<string, LiveBridge>();

  constructor(netlink: Netlink, firewall: Firewall) {
    this.parents = new ParentLinks(netlink);
    this.#netlink = netlink;
    this.#firewall = firewall;
  }

  get(networkId: string): LiveBridge | undefined {
    return this.#live.get(networkId);
  }

  /** Whether the host has an interface of that name. */
  exists(device: string): boolean {
    return findLink(this.#netlink, device) !== undefined;
  }

  /** Makes or repairs the device and opens empty address spaces, without telling the firewall. */
  raise(network: BridgeNetwork): LiveBridge {
    const { id, name, bridge } = network;
    const { parent, device, ipv4, ipv6 } = bridge;
    const index = parent === undefined ? ensureBridge(this.#netlink, bridge) : 0;
    if (parent === undefined && ipv6 !== undefined) enableForwarding(6);
    const label = `${name} (${id})`;
    const live: LiveBridge = {
      network,
      index,
      addresses: {
        ...(ipv4 !== undefined && { 4: new AddressSpace(ipv4, label) }),
        ...(ipv6 !== undefined && { 6: new AddressSpace(ipv6, label) }),
      },
    };
    this.#live.set(id, live);
    // Containers of the network are known even while its parent is gone: it may come back.
    if (parent !== undefined) this.parents.ensure({ device, parent });
    return live;
  }

  /** As `raise`, and lets its packets through. With an error nothing is left. */
  add(network: BridgeNetwork): LiveBridge {
    try {
      const live = this.raise(network);
      if (network.bridge.parent === undefined) this.#firewall.addNetwork(firewallNetwork(network));
      return live;
    } catch (error) {
      this.#live.delete(network.id);
      this.#removeDevice(network);
      throw error;
    }
  }

  remove(network: BridgeNetwork): void {
    this.#live.delete(network.id);
    if (network.bridge.parent === undefined) this.#firewall.removeNetwork(network.bridge.device);
    this.#removeDevice(network);
  }

  /** Networks whose bridge somebody removed. */
  missing(): LiveBridge[] {
    return [...this.#live.values()].filter(
      ({ network, index }) =>
        network.bridge.parent === undefined && findLink(this.#netlink, network.bridge.device)?.index !== index,
    );
  }

  /** Makes the bridge anew, without ports. */
  remake(live: LiveBridge): void {
    live.index = ensureBridge(this.#netlink, live.network.bridge);
  }

  /** Host ends of the veth pairs in the bridge. */
  ports(live: LiveBridge): string[] {
    return live.network.bridge.parent === undefined ? bridgePorts(this.#netlink, live.index) : [];
  }

  /** Forgets which MAC an address had, so that the next one to use it is found at once. */
  forgetNeighbour(live: LiveBridge, address: string): void {
    if (live.network.bridge.parent !== undefined) return;
    try {
      this.#netlink.execute(deleteNeighbour(live.index, addressOf(address)));
    } catch (error) {
      if (!hasErrno(error, ENOENT)) throw error;
    }
  }

  /** Removes all devices. */
  removeAll(): void {
    for (const { network } of this.#live.values()) {
      this.#live.delete(network.id);
      this.#removeDevice(network);
    }
  }

  /** A parent goes with the last network that uses it. */
  #removeDevice({ bridge: { device, parent } }: BridgeNetwork): void {
    if (parent === undefined) removeBridge(this.#netlink, device);
    else if (![...this.#live.values()].some(({ network }) => network.bridge.device === device))
      this.parents.remove({ device, parent });
  }
}

export function firewallNetwork({ internal, bridge }: BridgeNetwork): FirewallNetwork {
  const { device, ipv4, ipv6, connected, masquerade, trusted } = bridge;
  return {
    device,
    internal,
    connected,
    masquerade,
    ...(ipv4 !== undefined && { ipv4 }),
    ...(ipv6 !== undefined && { ipv6 }),
    ...(trusted !== undefined && { trusted }),
  };
}
