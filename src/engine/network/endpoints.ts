/** Makes endpoints, leads routes and ports to them, and takes them apart without anyone waiting for the kernel. */
import { EngineError } from "#lib/errors.ts";
import { addressOf, type IpFamily, type IpPrefix } from "#lib/ip.ts";
import type { Logger } from "#lib/log.ts";
import type { NamespaceWorker } from "#linux/namespaces.ts";
import type { FlowsTo } from "#linux/netlink-netfilter.ts";
import type { Netlink } from "#linux/netlink.ts";
import type { BridgeNetworks, LiveBridge } from "./bridge-networks.ts";
import { sysctlsOf } from "./endpoint-options.ts";
import { addressIn, FAMILIES, familyOfText, gatewayIn } from "./families.ts";
import type { PortTarget } from "./firewall-table.ts";
import type { Firewall } from "./firewall.ts";
import { type Gateways, leadsOut } from "./gateways.ts";
import type { SandboxLinks, SandboxNamespace, Way } from "./links.ts";
import { macOf, randomId, vethName } from "./names.ts";
import { hasOwnMac, isPassthru, leadsPorts, wayOut } from "./parent-config.ts";
import type { Attachment, BridgeNetwork } from "./plan.ts";
import type { HostPort } from "./port-claims.ts";
import type { PublishedPort } from "./ports.ts";
import type { Endpoint } from "./types.ts";

export interface EndpointParts {
  bridges: BridgeNetworks;
  links: SandboxLinks;
  firewall: Firewall;
  namespaces: Pick<NamespaceWorker, "forgetFlows">;
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

  /** Leases addresses and makes the interface. With an error nothing is left. */
  async attach(
    namespace: { path: string; socket: Netlink },
    attachment: Attachment,
    name: string,
    container: ContainerNames,
  ): Promise<Endpoint> {
    const endpoint = await this.#attach(namespace, attachment.network, name, attachment);
    const { aliases, links } = attachment;
    return named({ ...endpoint, ...(links !== undefined && { links }) }, aliases, container);
  }

  /** As `attach`, for a container that is not known yet. */
  async attachSpare(namespace: SandboxNamespace, network: BridgeNetwork): Promise<Endpoint> {
    const name = `${network.bridge.interfacePrefix}0`;
    const endpoint = await this.#attach(namespace, network, name, { addresses: {} });
    this.route(namespace.socket, { 4: endpoint, 6: endpoint }, false);
    return endpoint;
  }

  /** Waits until the interface is gone (10 ms and more). `socket` is one in the endpoint's namespace. */
  detach(socket: Netlink, endpoint: Endpoint): void {
    if (endpoint.hostInterface === "") this.#parts.bridges.parents.detach(socket, endpoint.interface);
    else this.#parts.links.detach(endpoint.hostInterface);
    this.#giveBack(endpoint);
  }

  route(socket: Netlink, gateways: Gateways, hadRoute: boolean): void {
    for (const family of FAMILIES) this.#parts.links.route(socket, family, wayOf(gateways[family], family), hadRoute);
  }

  /** Leads published ports to the endpoints of their family. All or none; no port leads past a parent interface. */
  lead(ports: readonly PublishedPort[], gateways: Gateways): void {
    const targets = this.targets(ports, gateways);
    if (targets.length === 0) return;
    const interfaces = new Set(targets.map(({ hostAddress }) => gateways[familyOfText(hostAddress)]?.hostInterface));
    for (const one of interfaces) if (one !== undefined) this.#parts.links.allowHairpin(one);
    this.#parts.firewall.publish(targets);
    this.#forgetFlows(ports);
  }

  /** Undoes `lead` with the same gateways. */
  unlead(ports: readonly PublishedPort[], gateways: Gateways): void {
    this.#parts.firewall.unpublish(this.targets(ports, gateways));
    this.#forgetFlows(ports);
  }

  /** Lets ports of the host lead nowhere, wherever they lead now. */
  withdraw(ports: readonly HostPort[]): void {
    this.#parts.firewall.unpublish(ports);
    this.#forgetFlows(ports);
  }

  /** Where ports lead; those of a family without a gateway lead nowhere. */
  targets(ports: readonly PublishedPort[], gateways: Gateways): PortTarget[] {
    return ports.flatMap((port) => {
      const family = familyOfText(port.hostAddress);
      const gateway = gateways[family];
      const containerAddress = gateway === undefined ? "" : addressIn(gateway, family);
      if (gateway === undefined || containerAddress === "" || !leadsPorts(gateway)) return [];
      const trusted = this.#parts.bridges.get(gateway.networkId)?.network.bridge.trusted ?? [];
      return [{ ...port, containerAddress, open: port.hostPort === 0 || trusted.length > 0 }];
    });
  }

  /** Ends, a moment later, what is connected to a container by ports that were its own. */
  cut(ports: readonly PublishedPort[], gateways: Gateways): void {
    const targets = this.targets(ports, gateways).filter(({ hostPort }) => hostPort !== 0);
    this.#forget(
      targets.map(({ protocol, hostPort, containerAddress }) => {
        const target = addressOf(containerAddress);
        return { family: target.family, protocol, port: hostPort, target };
      }),
    );
  }

  /** Removes a namespace with its endpoints in the background. Their addresses are free once the interfaces are gone. */
  dismantle(path: string, endpoints: readonly Endpoint[]): void {
    const keys = endpoints.flatMap((endpoint) =>
      FAMILIES.map((family) => leaseKey(endpoint.networkId, addressIn(endpoint, family))),
    );
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
    for (const { network, addresses } of attachments) {
      // A parent in mode passthru carries one interface only.
      if (isPassthru(network.bridge.parent?.child)) {
        for (const [key, done] of this.#leaving) if (key.startsWith(network.id)) await done;
      }
      for (const address of Object.values(addresses)) await this.#leaving.get(leaseKey(network.id, address));
    }
  }

  /** Ends when everything that was begun in the background is done. */
  async settle(): Promise<void> {
    while (this.#background.size > 0) await Promise.all(this.#background);
  }

  async #attach(
    namespace: { path: string; socket: Netlink },
    { id, name, internal, bridge }: BridgeNetwork,
    interfaceName: string,
    chosen: Pick<Attachment, "addresses" | "sysctls" | "linkLocal"> & { mac?: string },
  ): Promise<Endpoint> {
    const live = this.#parts.bridges.get(id);
    if (live === undefined) throw new EngineError("not-found", `network ${name} not found`);
    const { parent, device } = bridge;
    const { links, bridges } = this.#parts;
    const leases = lease(live, chosen.addresses);
    const bits = (family: IpFamily): number => live.addresses[family]?.subnet.bits ?? 0;
    const endpoint: Endpoint = {
      networkId: id,
      networkName: name,
      endpointId: randomId(),
      interface: interfaceName,
      hostInterface: bridge.parent === undefined ? vethName() : "",
      ipAddress: leases[4] ?? "",
      prefixLength: bits(4),
      ipv6Address: leases[6] ?? "",
      ipv6PrefixLength: bits(6),
      ...wayOut(internal, bridge),
      macAddress: chosen.mac ?? (hasOwnMac(bridge) ? macOf(leases[4] ?? leases[6] ?? "") : ""),
      aliases: [],
      dnsNames: [],
    };
    const { linkLocal = [] } = chosen;
    const enable = async (): Promise<void> => {
      // A router of the parent's network is the containers' own.
      if (leases[6] !== undefined || linkLocal.some(({ family }) => family === 6)) {
        await links.enableIpv6(namespace.path, interfaceName, parent === undefined);
      }
      if (chosen.sysctls !== undefined) await links.writeSysctls(namespace.path, sysctlsOf(chosen, interfaceName));
    };
    const common = {
      interface: interfaceName,
      addresses: Object.values(leases)
        .map((address): IpPrefix => {
          const { family, value } = addressOf(address);
          return { family, value, bits: bits(family) };
        })
        .concat(linkLocal),
      mac: endpoint.macAddress,
      mtu: bridge.mtu,
    };
    try {
      if (parent !== undefined) {
        const child = { ...common, device, child: parent.child };
        const mac = await bridges.parents.attach(namespace.path, namespace.socket, child, enable);
        return { ...endpoint, macAddress: mac };
      }
      const { hostInterface } = endpoint;
      const veth = { ...common, bridge: live.index, hostInterface, isolated: !bridge.connected };
      await links.attach(namespace.path, namespace.socket, veth, enable);
      return endpoint;
    } catch (error) {
      if (parent === undefined) links.detach(endpoint.hostInterface);
      this.#giveBack(endpoint);
      throw error;
    }
  }

  #giveBack(endpoint: Endpoint): void {
    const live = this.#parts.bridges.get(endpoint.networkId);
    if (live === undefined) return;
    for (const family of FAMILIES) {
      const address = addressIn(endpoint, family);
      if (address === "") continue;
      if (endpoint.macAddress !== macOf(address)) this.#parts.bridges.forgetNeighbour(live, address);
      live.addresses[family]?.giveBack(address);
    }
  }

  /** A client that keeps sending would stay with what the port was before. TCP begins anew by itself. */
  #forgetFlows(ports: readonly HostPort[]): void {
    const flows = ports.filter(({ protocol, hostPort }) => protocol === "udp" && hostPort !== 0);
    this.#forget(
      flows.map(({ protocol, hostPort, hostAddress }) => ({
        family: familyOfText(hostAddress),
        protocol,
        port: hostPort,
      })),
    );
  }

  #forget(flows: readonly FlowsTo[]): void {
    if (flows.length === 0) return;
    void this.#inBackground("cannot forget the flows of published ports", async () => {
      // On a busy machine the thread would run before the answer is out.
      await Bun.sleep(0);
      await this.#parts.namespaces.forgetFlows(flows);
    });
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

/** An address of each family that the network has: the chosen one, or a free one. All or none. */
function lease(live: LiveBridge, chosen: Attachment["addresses"]): Attachment["addresses"] {
  const leases: Attachment["addresses"] = {};
  try {
    for (const family of FAMILIES) {
      const space = live.addresses[family];
      if (space === undefined) continue;
      const address = chosen[family];
      if (address !== undefined) space.claim(address);
      leases[family] = address ?? space.take();
    }
    return leases;
  } catch (error) {
    for (const family of FAMILIES) {
      const address = leases[family];
      if (address !== undefined) live.addresses[family]?.giveBack(address);
    }
    throw error;
  }
}

function wayOf(endpoint: Endpoint | undefined, family: IpFamily): Way | undefined {
  if (endpoint === undefined || !leadsOut(endpoint, family)) return undefined;
  const gateway = gatewayIn(endpoint, family);
  return { gateway: gateway === "" ? undefined : addressOf(gateway), interface: endpoint.interface };
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
