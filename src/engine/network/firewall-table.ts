/** The text of a daemon's nftables table (nft(8)), and what networks and ports are as elements of its sets. */
import { addressBytes, addressOf, type IpFamily } from "#lib/ip.ts";
import type { SetElement } from "#linux/netlink-elements.ts";
import { familyOfText } from "./families.ts";
import type { Protocol, PublishedPort } from "./ports.ts";
import type { GatewayMode } from "./store.ts";

/** What the rules must know of one family of a bridge network. */
export interface FirewallSubnet {
  subnet: string;
  gateway: string;
  mode: GatewayMode;
  /** Source of packets that leave; absent: the address of the interface that they leave by. */
  source?: string;
}

export interface FirewallNetwork {
  device: string;
  /** No way out of the network or into it. */
  internal: boolean;
  /** Containers of the network may talk to each other (enable_icc). */
  connected: boolean;
  /** Packets leave with the host's address (enable_ip_masquerade). */
  masquerade: boolean;
  ipv4?: FirewallSubnet;
  ipv6?: FirewallSubnet;
  /** Interfaces of the host by which published ports are reached on the containers' own addresses. */
  trusted?: readonly string[];
}

/** A published port and where it leads. */
export interface PortTarget extends PublishedPort {
  containerAddress: string;
  /** It can also be reached on the container's own address, where the network lets anybody come that way. */
  open: boolean;
}

/** Of a set, or with a value of a map. */
export interface Element {
  readonly set: string;
  readonly key: string;
  readonly value?: string;
  /** The same for the kernel, of those that come and go with ports. */
  readonly raw?: SetElement;
}

export function portElements(port: PortTarget): Element[] {
  const { protocol, hostAddress, hostPort, containerAddress, containerPort, open } = port;
  const suffix = SUFFIX[familyOfText(containerAddress)];
  const elements: Element[] = [];
  const number = PROTOCOLS[protocol];
  if (open) {
    const set = `opened${suffix}`;
    const key = concatenation(containerAddress, { protocol: number }, { port: containerPort });
    elements.push({ set, key: `${containerAddress} . ${number} . ${containerPort}`, raw: { set, key } });
  }
  if (hostPort === 0) return elements;
  const everywhere = hostAddress === "0.0.0.0" || hostAddress === "::";
  const set = `${everywhere ? "published" : "published_on"}${suffix}`;
  const key = concatenation(...(everywhere ? [] : [hostAddress]), { protocol: number }, { port: hostPort });
  elements.push({
    set,
    key: `${everywhere ? "" : `${hostAddress} . `}${number} . ${hostPort}`,
    value: `${containerAddress} . ${containerPort}`,
    raw: { set, key, value: concatenation(containerAddress, { port: containerPort }) },
  });
  return elements;
}

/** Addresses, protocols and ports as the kernel has them in one key: each part padded to four bytes. */
function concatenation(...parts: readonly (string | { protocol: number } | { port: number })[]): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((part) => {
      if (typeof part === "string") return [...addressBytes(addressOf(part))];
      return "port" in part ? [part.port >> 8, part.port & 255, 0, 0] : [part.protocol, 0, 0, 0];
    }),
  );
}

export function networkElements(network: FirewallNetwork): Element[] {
  const { internal, connected, trusted = [] } = network;
  const device = `"${network.device}"`;
  return [
    { set: "bridges", key: device },
    ...(internal ? [{ set: "internal", key: device }] : []),
    ...(connected ? [{ set: "connected", key: `${device} . ${device}` }] : []),
    ...trusted.map((name) => ({ set: "trusted", key: `"${name}" . ${device}` })),
    ...subnetElements(4, network.ipv4, network),
    ...subnetElements(6, network.ipv6, network),
  ];
}

function subnetElements(
  family: IpFamily,
  config: FirewallSubnet | undefined,
  { device, internal, masquerade }: FirewallNetwork,
): Element[] {
  if (config === undefined) return [];
  const { subnet, gateway, mode, source } = config;
  const suffix = SUFFIX[family];
  const elements: Element[] = [{ set: `hairpins${suffix}`, key: `${subnet} . "${device}"` }];
  if (family === 6 && gateway !== "") elements.push({ set: "gateways6", key: `"${device}"`, value: gateway });
  if (mode === "routed") elements.push({ set: "routed", key: `ipv${family} . "${device}"` });
  if (mode === "nat-unprotected") elements.push({ set: "unprotected", key: `ipv${family} . "${device}"` });
  if (internal || !masquerade || mode === "routed") return elements;
  if (source === undefined) elements.push({ set: `masqueraded${suffix}`, key: subnet });
  else elements.push({ set: `sources${suffix}`, key: subnet, value: source });
  return elements;
}

/** Numbers, since names would be looked up in /etc/protocols, which not every system has. */
const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 } as const satisfies Record<Protocol, number>;
const SUFFIX = { 4: "", 6: "6" } as const satisfies Record<IpFamily, string>;

/**
 * - Packets for loopback from a bridge are dropped: route_localnet lets those of IPv4 in, and it is meant for answers
 *   only, which connection tracking has not turned back yet at this priority.
 * - Redirecting is for addresses of the host. 127.0.0.0/8 only counts in the output hook: from outside it is forged.
 *   A source of the link alone cannot be forwarded.
 * - The kernel refuses packets for ::1 that come from a bridge, also answers that connection tracking has just turned
 *   back to it (with br_netfilter it does so before the kernel looks): they bear the bridge's address on their way up.
 * - A container that reaches its own network by the host's address must get the answer through the host.
 * - Into a bridge goes what belongs to a known connection, what was redirected, and the network's own traffic; into
 *   a routed one pings (1, 58) and what was opened, and into an unprotected one all that comes from no other bridge.
 */
export function tableText(table: string): string {
  return `table inet ${table} {
  set bridges { type ifname; }
  set internal { type ifname; }
  set connected { type ifname . ifname; }
  set trusted { type ifname . ifname; }
  set routed { type nf_proto . ifname; }
  set unprotected { type nf_proto . ifname; }
  set masqueraded { type ipv4_addr; flags interval; }
  set masqueraded6 { type ipv6_addr; flags interval; }
  map sources { type ipv4_addr : ipv4_addr; flags interval; }
  map sources6 { type ipv6_addr : ipv6_addr; flags interval; }
  set hairpins { type ipv4_addr . ifname; flags interval; }
  set hairpins6 { type ipv6_addr . ifname; flags interval; }
  map gateways6 { type ifname : ipv6_addr; }
  set opened { type ipv4_addr . inet_proto . inet_service; }
  set opened6 { type ipv6_addr . inet_proto . inet_service; }
  map published { type inet_proto . inet_service : ipv4_addr . inet_service; }
  map published6 { type inet_proto . inet_service : ipv6_addr . inet_service; }
  map published_on { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
  map published_on6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }
  chain raw {
    type filter hook prerouting priority raw; policy accept;
    iifname @bridges ip daddr 127.0.0.0/8 drop
    iifname @bridges ip6 daddr ::1 drop
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    ip daddr 127.0.0.0/8 accept
    fib daddr type local jump publish
  }
  chain answers {
    type filter hook prerouting priority -90; policy accept;
    ip6 daddr ::1 iifname @bridges ct direction reply ip6 daddr set iifname map @gateways6
  }
  chain input {
    type filter hook input priority -150; policy accept;
    ct direction reply ct original ip6 saddr ::1 iifname @bridges ip6 daddr set ::1
  }
  chain output {
    type nat hook output priority -100; policy accept;
    fib daddr type local jump publish
  }
  chain publish {
    ip6 saddr fe80::/10 return
    dnat ip to ip daddr . meta l4proto . th dport map @published_on
    dnat ip to meta l4proto . th dport map @published
    dnat ip6 to ip6 daddr . meta l4proto . th dport map @published_on6
    dnat ip6 to meta l4proto . th dport map @published6
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "lo" accept
    ip saddr 127.0.0.0/8 oifname @bridges masquerade
    ip6 saddr ::1 oifname @bridges masquerade
    ip saddr . oifname @hairpins ct status dnat masquerade
    ip6 saddr . oifname @hairpins6 ct status dnat masquerade
    oifname @bridges accept
    snat ip to ip saddr map @sources
    snat ip6 to ip6 saddr map @sources6
    ip saddr @masqueraded masquerade
    ip6 saddr @masqueraded6 masquerade
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
    meta nfproto . oifname @routed goto opened
    iifname . oifname @trusted goto opened
    iifname != @bridges meta nfproto . oifname @unprotected accept
    drop
  }
  chain opened {
    ip daddr . meta l4proto . th dport @opened accept
    ip6 daddr . meta l4proto . th dport @opened6 accept
    meta nfproto . oifname @routed meta l4proto { 1, 58 } accept
    drop
  }
}`;
}
