/** Wire objects of `/networks` (Engine API v1.50). */
import type { List, StringMap } from "./container-config.ts";

export interface EndpointIpamConfig {
  IPv4Address?: string;
  IPv6Address?: string;
  LinkLocalIPs?: string[];
}

/** How a container is attached to one network: asked for in create and connect, answered by inspect. */
export interface EndpointSettings {
  IPAMConfig: EndpointIpamConfig | null;
  Links: List<string>;
  Aliases: List<string>;
  MacAddress: string;
  DriverOpts: StringMap | null;
  GwPriority: number;
  NetworkID: string;
  EndpointID: string;
  Gateway: string;
  IPAddress: string;
  IPPrefixLen: number;
  IPv6Gateway: string;
  GlobalIPv6Address: string;
  GlobalIPv6PrefixLen: number;
  DNSNames: List<string>;
}

export interface IpamConfig {
  Subnet?: string;
  IPRange?: string;
  Gateway?: string;
  /** Go's json name is AuxiliaryAddresses. */
  AuxiliaryAddresses?: StringMap | null;
}
export interface Ipam {
  Driver: string;
  Options: StringMap | null;
  Config: List<IpamConfig>;
}

/** Body of `POST /networks/create`, as clients send it. */
export interface NetworkCreateBody {
  Name: string;
  CheckDuplicate?: boolean;
  Driver?: string;
  Scope?: string;
  EnableIPv4?: boolean | null;
  EnableIPv6?: boolean | null;
  IPAM?: Partial<Ipam> | null;
  Internal?: boolean;
  Attachable?: boolean;
  Ingress?: boolean;
  ConfigOnly?: boolean;
  ConfigFrom?: { Network: string } | null;
  Options?: StringMap | null;
  Labels?: StringMap | null;
}
export interface NetworkCreateResponse {
  Id: string;
  Warning: string;
}

/** One attached container in `NetworkInspect.Containers`; addresses with prefix length. */
export interface EndpointResource {
  Name: string;
  EndpointID: string;
  MacAddress: string;
  IPv4Address: string;
  IPv6Address: string;
}
/** Answer of `GET /networks/{id}`; an element of `GET /networks` (where Containers is empty). */
export interface NetworkInspect {
  Name: string;
  Id: string;
  Created: string;
  Scope: string;
  Driver: string;
  EnableIPv4: boolean;
  EnableIPv6: boolean;
  IPAM: Ipam;
  Internal: boolean;
  Attachable: boolean;
  Ingress: boolean;
  ConfigFrom: { Network: string };
  ConfigOnly: boolean;
  Containers: Record<string, EndpointResource>;
  Options: StringMap;
  Labels: StringMap;
}

export interface NetworkConnectBody {
  Container: string;
  EndpointConfig?: Partial<EndpointSettings> | null;
}
export interface NetworkDisconnectBody {
  Container: string;
  Force?: boolean;
}
export interface NetworksPruneResponse {
  NetworksDeleted: List<string>;
}
