/** What the container engine asks of the network service and what it gets back. */
import type { PortMap } from "#api/types/container-config.ts";
import type { EndpointSettings } from "#api/types/network.ts";

/** Fixed when the daemon starts. */
export interface NetworkOptions {
  /** Name of the default bridge's device. Default: `defaultNames(execRoot).bridge`. */
  bridge?: string;
  /** Name of the nftables table (family inet). Default: `defaultNames(execRoot).table`. */
  table?: string;
  /** Address and prefix of the default bridge, as `192.168.5.1/24` (dockerd's --bip). */
  bip?: string;
  /** Settings of the default bridge; what is absent is as Docker has it. */
  defaultBridge?: DefaultBridge;
  /** What `host-gateway` means in extra hosts. Default: the address of the default bridge. */
  hostGateway?: string;
  /** Address and prefix of the default bridge in IPv6 (dockerd's --bip6). */
  bip6?: string;
  /** Subnets for networks that name none. Default: Docker's 172.17-31/16 and 192.168/20; without one of IPv6 `ulaPool`. */
  pools?: readonly AddressPool[];
  /** Names this engine among all: its IPv6 networks are in a prefix that is made of it. */
  hostId?: string;
  /** Sandboxes kept ready on the default bridge. 0 turns that off. Default 4. */
  warm?: number;
  /** Nameservers, search domains and options of containers that set none of their own. */
  dns?: readonly string[];
  dnsSearch?: readonly string[];
  dnsOptions?: readonly string[];
}

export interface DefaultBridge {
  /** Containers reach each other. Default true. */
  readonly connected?: boolean;
  /** Addresses are hidden behind the host's. Default true. */
  readonly masquerade?: boolean;
  /** 0 is the kernel's own. */
  readonly mtu?: number;
  /** Host address of ports that are published without one. Default `0.0.0.0`, all of both families. */
  readonly hostBinding?: string;
  /** Part of the subnet that containers' addresses come from. */
  readonly range?: string;
  /** The bridge has IPv6 too. */
  readonly ipv6?: boolean;
  /** As `range`; where no other subnet is known it is that. */
  readonly range6?: string;
}

/** `base` is cut into subnets with `size` prefix bits. */
export interface AddressPool {
  readonly base: string;
  readonly size: number;
}

/** Everything that `allocate` must know about a container; texts and maps as the Engine API has them. */
export interface SandboxRequest {
  containerId: string;
  /** Without the leading slash. */
  name: string;
  hostname: string;
  domainname?: string;
  /** HostConfig.NetworkMode: default, bridge, none, host, `container:<full id>` or a network's name or id. */
  mode: string;
  /** The container was taken out of the network of `mode`: it has those of `endpoints` alone. */
  leftMain?: boolean;
  /** NetworkingConfig.EndpointsConfig, by network name or id; the network of `mode` needs no entry. */
  endpoints?: Readonly<Record<string, Partial<EndpointSettings>>>;
  /** HostConfig.Links; on a network of one's own they are names there. */
  links?: readonly string[];
  /** Config.MacAddress, for the network of `mode`. */
  macAddress?: string;
  /** HostConfig.PortBindings. */
  ports?: PortMap;
  /** Keys of Config.ExposedPorts. */
  exposedPorts?: readonly string[];
  publishAll?: boolean;
  dns?: readonly string[];
  dnsSearch?: readonly string[];
  dnsOptions?: readonly string[];
  /** `name:address`, where the address may be `host-gateway`. */
  extraHosts?: readonly string[];
  /** Further entries of the hosts file. */
  linked?: readonly LinkedHost[];
  /** A fresh network namespace to use instead of one of the host's user namespace: a path. */
  namespace?: string;
}

export interface LinkedHost {
  /** One or more, with spaces between them. */
  name: string;
  address: string;
}

/** A running container's interface in one network. */
export interface Endpoint {
  networkId: string;
  networkName: string;
  endpointId: string;
  /** Name inside the container. */
  interface: string;
  /** Name of the host's end of the veth pair; empty where the interface rides on a parent (macvlan, ipvlan). */
  hostInterface: string;
  /** Empty in a network without IPv4. */
  ipAddress: string;
  prefixLength: number;
  /** Empty in an internal network. */
  gateway: string;
  /** Empty in a network without IPv6. */
  ipv6Address: string;
  ipv6PrefixLength: number;
  ipv6Gateway: string;
  /** Packets for elsewhere leave by the interface without a gateway. */
  routesByLink?: true;
  macAddress: string;
  aliases: string[];
  /** Names of others by what only this container calls them, in lower case. */
  links?: Record<string, string>;
  /** Container name, aliases, short id and hostname, without duplicates. */
  dnsNames: string[];
}

/** What a container runs with, until `release`. */
export interface Sandbox {
  containerId: string;
  /** 64 hex digits; empty where the container has no sandbox of its own (host, container:<id>). */
  sandboxId: string;
  /** Undefined: the host's own namespace. */
  netnsPath: string | undefined;
  /** The container whose namespace, hosts and resolv.conf files are shared (mode `container:<id>`). */
  sharedWith?: string;
  endpoints: Endpoint[];
  /** As NetworkSettings.Ports: published ports with their bindings, exposed ones with null. */
  ports: PortMap;
  /** Text of /etc/resolv.conf. */
  resolvConf: string;
  /** Text of /etc/hosts. */
  hosts: string;
}

/** Counters of one interface since it was made (API `networks` in stats). */
export interface InterfaceCounters {
  rxBytes: number;
  rxPackets: number;
  rxErrors: number;
  rxDropped: number;
  txBytes: number;
  txPackets: number;
  txErrors: number;
  txDropped: number;
}
