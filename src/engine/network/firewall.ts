/** Owns the daemon's one nftables table: a published port is an element of a map, never a rule. */
import { formatIpv4, formatPrefix, type Ipv4Prefix, networkOf } from "#lib/ipv4.ts";
import { NftablesError } from "#linux/nftables.ts";
import type { PublishedPort } from "./ports.ts";
import type { RuleWatch } from "./rule-watch.ts";

/** What the rules must know of a bridge network. */
export interface FirewallNetwork {
  device: string;
  subnet: Ipv4Prefix;
  /** No way out of the network or into it. */
  internal: boolean;
  /** Containers of the network may talk to each other (enable_icc). */
  connected: boolean;
  /** Packets leave with the host's address (enable_ip_masquerade). */
  masquerade: boolean;
}

/** A published port and where it leads. */
export interface PortTarget extends PublishedPort {
  containerAddress: number;
}

/**
 * Keeps the table equal to the networks and ports it was told of, and makes it anew where someone removed it
 * (`nft flush ruleset`). All hooks run at the usual priorities and drop only what concerns our bridges: an accept
 * here never overrules the host's own chains.
 */
export class Firewall {
  readonly table: string;
  readonly #nft: RuleWatch;
  readonly #networks = new Map<string, FirewallNetwork>();
  readonly #ports = new Map<string, PortTarget>();

  constructor(nft: RuleWatch, table: string) {
    this.#nft = nft;
    this.table = table;
  }

  /** Devices of our bridges. */
  get devices(): string[] {
    return [...this.#networks.keys()];
  }

  addNetwork(network: FirewallNetwork): void {
    this.#networks.set(network.device, network);
    this.#update(networkElements(network).map((element) => `add element ip ${this.table} ${element}`));
  }

  removeNetwork(device: string): void {
    const network = this.#networks.get(device);
    if (network === undefined) return;
    this.#networks.delete(device);
    this.#update(networkElements(network).map((element) => `delete element ip ${this.table} ${element}`));
  }

  /** All or none. */
  publish(ports: readonly PortTarget[]): void {
    for (const port of ports) this.#ports.set(portKey(port), port);
    try {
      this.#update(ports.map((port) => `add element ip ${this.table} ${portElement(port)}`));
    } catch (error) {
      for (const port of ports) this.#ports.delete(portKey(port));
      throw error;
    }
  }

  /** Ports that are not published are passed over. */
  unpublish(ports: readonly PublishedPort[]): void {
    const known = ports.filter((port) => this.#ports.delete(portKey(port)));
    this.#update(known.map((port) => `delete element ip ${this.table} ${portElement(port)}`));
  }

  /** Forgets everything and starts from these, in one transaction. */
  reset(networks: readonly FirewallNetwork[], ports: readonly PortTarget[]): void {
    this.#networks.clear();
    this.#ports.clear();
    for (const network of networks) this.#networks.set(network.device, network);
    for (const port of ports) this.#ports.set(portKey(port), port);
    this.#rebuild();
  }

  /** Makes the table anew where it is gone; true if it was. */
  repair(): boolean {
    if (this.#nft.list(`chain ip ${this.table} publish`) !== undefined) return false;
    this.#rebuild();
    return true;
  }

  /** Removes the table. */
  remove(): void {
    this.#nft.run("cannot remove the nftables table", `add table ip ${this.table}\ndelete table ip ${this.table}`);
  }

  #update(commands: readonly string[]): void {
    if (commands.length === 0) return;
    try {
      this.#nft.run("cannot change published ports or networks", commands.join("\n"));
    } catch (error) {
      if (!(error instanceof NftablesError) || !this.repair()) throw error;
    }
  }

  #rebuild(): void {
    const elements = [...this.#networks.values()]
      .flatMap(networkElements)
      .concat([...this.#ports.values()].map(portElement));
    const script = [
      `add table ip ${this.table}`,
      `delete table ip ${this.table}`,
      tableText(this.table),
      ...elements.map((element) => `add element ip ${this.table} ${element}`),
    ];
    this.#nft.run("cannot make the nftables table", script.join("\n"));
  }
}

function portKey({ protocol, hostAddress, hostPort }: PublishedPort): string {
  return `${protocol} ${hostAddress}:${hostPort}`;
}

function portElement(port: PublishedPort & { containerAddress?: number }): string {
  const { protocol, hostAddress, hostPort, containerAddress, containerPort } = port;
  const target = containerAddress === undefined ? "" : ` : ${formatIpv4(containerAddress)} . ${containerPort}`;
  return hostAddress === 0
    ? `published { ${protocol} . ${hostPort}${target} }`
    : `published_on { ${formatIpv4(hostAddress)} . ${protocol} . ${hostPort}${target} }`;
}

function networkElements({ device, subnet, internal, connected, masquerade }: FirewallNetwork): string[] {
  const range = formatPrefix(networkOf(subnet));
  const elements = [`bridges { "${device}" }`, `hairpins { ${range} . "${device}" }`];
  if (internal) elements.push(`internal { "${device}" }`);
  else if (masquerade) elements.push(`masqueraded { ${range} }`);
  if (connected) elements.push(`connected { "${device}" . "${device}" }`);
  return elements;
}

/**
 * - Packets for 127.0.0.0/8 from a bridge are dropped: route_localnet lets them in, and it is meant for answers only,
 *   which connection tracking has not turned back yet at this priority.
 * - Redirecting is for addresses of the host. 127.0.0.0/8 only counts in the output hook: from outside it is forged.
 * - A container that reaches its own network by the host's address must get the answer through the host.
 * - Into a bridge goes what belongs to a known connection, what was redirected, and the network's own traffic.
 */
function tableText(table: string): string {
  return `table ip ${table} {
  set bridges { type ifname; }
  set internal { type ifname; }
  set connected { type ifname . ifname; }
  set masqueraded { type ipv4_addr; flags interval; }
  set hairpins { type ipv4_addr . ifname; flags interval; }
  map published { type inet_proto . inet_service : ipv4_addr . inet_service; }
  map published_on { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
  chain raw {
    type filter hook prerouting priority raw; policy accept;
    iifname @bridges ip daddr 127.0.0.0/8 drop
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    ip daddr != 127.0.0.0/8 fib daddr type local jump publish
  }
  chain output {
    type nat hook output priority -100; policy accept;
    fib daddr type local jump publish
  }
  chain publish {
    dnat ip to ip daddr . meta l4proto . th dport map @published_on
    dnat ip to meta l4proto . th dport map @published
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "lo" accept
    ip saddr 127.0.0.0/8 oifname @bridges masquerade
    ip saddr . oifname @hairpins ct status dnat masquerade
    ip saddr @masqueraded oifname != @bridges masquerade
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    oifname @bridges jump inward
    iifname @internal drop
  }
  chain inward {
    ct state established,related accept
    iifname . oifname @connected accept
    iifname @internal drop
    oifname @internal drop
    ct status dnat accept
    drop
  }
}`;
}
