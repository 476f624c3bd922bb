/** Makes endpoints, leads routes and ports to them, and takes them apart without anyone waiting for the kernel. */
import { formatIpv4, parseIpv4 } from "#lib/ipv4.ts";
import type { Logger } from "#lib/log.ts";
import { forgetFlows } from "#linux/netlink-netfilter.ts";
import type { Netlink } from "#linux/netlink.ts";
import type { BridgeNetworks } from "./bridge-networks.ts";
import type { Firewall } from "./firewall.ts";
import type { SandboxLinks, SandboxNamespace } from "./links.ts";
import { macOf, randomId, vethName } from "./names.ts";
import { hasOwnMac, isPassthru, leadsPorts, wayOut } from "./parent-config.ts";
import { type Attachment, type BridgeNetwork, gatewayOf } from "./plan.ts";
import type { PublishedPort } from "./ports.ts";
import { EngineError } from "#lib/errors.ts";
import type { Endpoint } from "./types.ts";

export interface EndpointParts {
  bridges: BridgeNetworks;
  links: SandboxLinks;
  firewall: Firewall;
  netfilter: Netlink;
  log: Logger;
}

/** By what a container is found in a network. */
export interface ContainerNames {
  containerId: string;
  name: string;
  hostname: string;
}

/** How long a dead namespace may take to remove its interfaces before they are removed by name. */
const LINGER_MS = 2000;

export class Endpoints {
  readonly #parts: EndpointParts;
  readonly #background = new Set<Promise<void>>();
  /** Ends when the address is free again, by network and address. */
  readonly #leaving = new Map<string, Promise<void>>();

  constructor(parts: EndpointParts) {
    this.#parts = parts;
  }

  /** Leases an address and makes the interface. With an error nothing is left. */
  attach(
    namespace: { path: string; socket: Netlink },
    attachment: Attachment,
    name: string,
    container: ContainerNames,
  ): Endpoint {
    const endpoint = this.#attach(namespace, attachment.network, name, attachment);
    return named(endpoint, attachment.aliases, container);
  }

  /** As `attach`, for a container that is not known yet. */
  attachSpare(namespace: SandboxNamespace, network: BridgeNetwork): Endpoint {
    const endpoint = this.#attach(namespace, network, `${network.bridge.interfacePrefix}0`, {});
    this.route(namespace.socket, endpoint, false);
    return endpoint;
  }

  /** Waits until the interface is gone (10 ms and more). `socket` is one in the endpoint's namespace. */
  detach(socket: Netlink, endpoint: Endpoint): void {
    if (endpoint.hostInterface === "") this.#parts.bridges.parents.detach(socket, endpoint.interface);
    else this.#parts.links.detach(endpoint.hostInterface);
    this.#giveBack(endpoint);
  }

  /** Which endpoint the default route and the published ports belong to. */
  gate(endpoints: readonly Endpoint[], priorities: Readonly<Record<string, number>>): Endpoint | undefined {
    const candidates = endpoints.map((endpoint) => ({
      endpoint,
      internal: endpoint.gateway === "" && endpoint.routesByLink !== true,
      gatewayPriority: priorities[endpoint.endpointId] ?? 0,
      name: endpoint.networkName,
    }));
    return gatewayOf(candidates)?.endpoint;
  }

  route(socket: Netlink, gate: Endpoint | undefined, hadRoute: boolean): void {
    const gateway = gate?.routesByLink === true ? 0 : parseIpv4(gate?.gateway ?? "");
    const to = gate === undefined || gateway === undefined ? undefined : { gateway, interface: gate.interface };
    this.#parts.links.route(socket, to, hadRoute);
  }

  /** Leads published ports to an endpoint. All or none; no port leads past a parent interface. */
  lead(ports: readonly PublishedPort[], gate: Endpoint): void {
    if (ports.length === 0 || !leadsPorts(gate)) return;
    const containerAddress = parseIpv4(gate.ipAddress) ?? 0;
    this.#parts.links.allowHairpin(gate.hostInterface);
    this.#parts.firewall.publish(ports.map((port) => ({ ...port, containerAddress })));
    this.#forgetFlows(ports);
  }

  unlead(ports: readonly PublishedPort[]): void {
    this.#parts.firewall.unpublish(ports);
    this.#forgetFlows(ports);
  }

  /** Ends, a moment later, what is connected to a container by ports that were its own. */
  cut(ports: readonly PublishedPort[], containerAddress: string): void {
    const target = parseIpv4(containerAddress) ?? 0;
    for (const { protocol, hostPort } of ports) {
      void this.#inBackground(`cannot end the connections of port ${hostPort}/${protocol}`, async () => {
        await Bun.sleep(0);
        forgetFlows(this.#parts.netfilter, { protocol, port: hostPort, target });
      });
    }
  }

  /** Removes a namespace with its endpoints in the background. Their addresses are free once the interfaces are gone. */
  dismantle(path: string, endpoints: readonly Endpoint[]): void {
    const keys = endpoints.map(({ networkId, ipAddress }) => leaseKey(networkId, ipAddress));
    const done = this.#inBackground(`cannot remove the network namespace ${path}`, async () => {
      const { links } = this.#parts;
      await this.#removeChildren(path, endpoints);
      await links.removeNamespace(path);
      // A second container in the namespace keeps it alive; its interfaces go all the same, as in Docker.
      const own = endpoints.filter(({ hostInterface }) => hostInterface !== "");
      const deadline = performance.now() + LINGER_MS;
      for (let pause = 30; own.some(({ hostInterface }) => links.exists(hostInterface)); pause *= 2) {
        if (performance.now() > deadline) for (const { hostInterface } of own) links.detach(hostInterface);
        else await Bun.sleep(pause);
      }
      for (const endpoint of own) this.#giveBack(endpoint);
    });
    for (const key of keys) this.#leaving.set(key, done);
    void done.then(() => {
      for (const key of keys) if (this.#leaving.get(key) === done) this.#leaving.delete(key);
    });
  }

  /** Gives addresses back at once: what is inside a namespace cannot be seen from outside once it has no name. */
  async #removeChildren(path: string, endpoints: readonly Endpoint[]): Promise<void> {
    const children = endpoints.filter((one) => one.hostInterface === "" && one.interface !== "");
    if (children.length === 0) return;
    using socket = await this.#parts.links.enter(path);
    for (const endpoint of children) this.detach(socket, endpoint);
  }

  /** Ends when chosen addresses that a removed endpoint still has are free: a container that restarts wants its own back. */
  async vacated(attachments: readonly Attachment[]): Promise<void> {
    for (const { network, address } of attachments) {
      // A parent in mode passthru carries one interface only.
      if (isPassthru(network.bridge.parent?.child)) {
        for (const [key, done] of this.#leaving) if (key.startsWith(network.id)) await done;
      }
      if (address !== undefined) await this.#leaving.get(leaseKey(network.id, formatIpv4(address)));
    }
  }

  /** Ends when everything that was begun in the background is done. */
  async settle(): Promise<void> {
    while (this.#background.size > 0) await Promise.all(this.#background);
  }

  #attach(
    namespace: { path: string; socket: Netlink },
    { id, name, internal, bridge }: BridgeNetwork,
    interfaceName: string,
    chosen: { address?: number; mac?: string },
  ): Endpoint {
    const live = this.#parts.bridges.get(id);
    if (live === undefined) throw new EngineError("not-found", `network ${name} not found`);
    if (chosen.address !== undefined) live.addresses.claim(chosen.address);
    const address = chosen.address ?? live.addresses.take();
    const endpoint: Endpoint = {
      networkId: id,
      networkName: name,
      endpointId: randomId(),
      interface: interfaceName,
      hostInterface: bridge.parent === undefined ? vethName() : "",
      ipAddress: formatIpv4(address),
      prefixLength: bridge.subnet.prefix,
      ...wayOut(internal, bridge),
      macAddress: chosen.mac ?? (hasOwnMac(bridge) ? macOf({ address }) : ""),
      aliases: [],
      dnsNames: [],
    };
    const common = {
      interface: interfaceName,
      address: { address, prefix: endpoint.prefixLength },
      mac: endpoint.macAddress,
      mtu: bridge.mtu,
    };
    const { parent, device } = bridge;
    const { links, bridges } = this.#parts;
    try {
      if (parent !== undefined) {
        const child = { ...common, device, child: parent.child };
        return { ...endpoint, macAddress: bridges.parents.attach(namespace.path, namespace.socket, child) };
      }
      const { hostInterface } = endpoint;
      const veth = { ...common, bridge: live.index, hostInterface, isolated: !bridge.connected };
      links.attach(namespace.path, namespace.socket, veth);
      return endpoint;
    } catch (error) {
      if (parent === undefined) links.detach(endpoint.hostInterface);
      this.#giveBack(endpoint);
      throw error;
    }
  }

  #giveBack({ networkId, ipAddress, macAddress }: Endpoint): void {
    const live = this.#parts.bridges.get(networkId);
    const address = parseIpv4(ipAddress);
    if (live === undefined || address === undefined) return;
    if (macAddress !== macOf({ address })) this.#parts.bridges.forgetNeighbour(live, address);
    live.addresses.giveBack(address);
  }

  #forgetFlows(ports: readonly PublishedPort[]): void {
    for (const { protocol, hostPort } of ports) {
      if (protocol !== "udp") continue;
      void this.#inBackground(`cannot forget the flows of port ${hostPort}/udp`, async () => {
        await Bun.sleep(0);
        forgetFlows(this.#parts.netfilter, { protocol, port: hostPort });
      });
    }
  }

  /** Never rejects. */
  #inBackground(doing: string, work: () => Promise<void>): Promise<void> {
    const running = work()
      .catch((error: unknown) => this.#parts.log.error({ error }, doing))
      .finally(() => this.#background.delete(running));
    this.#background.add(running);
    return running;
  }
}

function leaseKey(networkId: string, address: string): string {
  return `${networkId} ${address}`;
}

/** The endpoint with the names of its container. */
export function named(
  endpoint: Endpoint,
  aliases: readonly string[],
  { name, containerId, hostname }: ContainerNames,
): Endpoint {
  const names = [name, ...aliases, containerId.slice(0, 12), hostname].filter((one) => one !== "");
  return { ...endpoint, aliases: [...aliases], dnsNames: [...new Set(names)] };
}
