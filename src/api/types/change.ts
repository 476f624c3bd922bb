/** `Changes` in the body of `POST /containers/{id}/update`: what a container is given and what is taken from it. */
import type { List, Mount, PortMap, StringMap } from "./container-config.ts";
import type { EndpointSettings } from "./network.ts";

/** Adds to a list and takes from it; what is removed goes first, so that both together replace. */
export interface ListChange {
  Add?: List<string>;
  Remove?: List<string>;
}

/** Says which published ports are meant; what is left out fits any. */
export interface PortSelector {
  /** `80/tcp`, inside the container. */
  Port?: string;
  HostIp?: string;
  HostPort?: string;
  /** `tcp` where neither this nor `Port` says another. */
  Protocol?: string;
}

export interface ContainerChanges {
  PortBindings?: { Add?: PortMap | null; Remove?: List<PortSelector> } | null;
  /** As `HostConfig.Binds`: `source:destination[:options]`, or a destination alone for an anonymous volume. */
  Binds?: { Add?: List<string> } | null;
  Mounts?: {
    Add?: List<Mount>;
    /** Destinations, of mounts of every sort. */
    Remove?: List<string>;
    /** Also those that are in use: who uses them keeps them until it is done. */
    Force?: boolean;
  } | null;
  Networks?: { Add?: Record<string, Partial<EndpointSettings> | null> | null; Remove?: List<string> } | null;
  Labels?: { Add?: StringMap | null; Remove?: List<string> } | null;
  /** `NAME=value`, and names. For what is executed from then on, and the next start. */
  Env?: ListChange | null;
  /** `name:address`; removed by name, or by both. */
  ExtraHosts?: ListChange | null;
  Dns?: ListChange | null;
  DnsSearch?: ListChange | null;
  DnsOptions?: ListChange | null;
}
