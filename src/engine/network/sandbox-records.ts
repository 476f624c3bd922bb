/** Rules and parts of sandbox records that need no kernel. */
import { EngineError } from "#lib/errors.ts";
import { named } from "./endpoints.ts";
import { randomId } from "./names.ts";
import type { Attachment } from "./plan.ts";
import type { NetworkRecord, SandboxRecord } from "./store.ts";
import type { Endpoint, SandboxRequest } from "./types.ts";

/** Spares are in the default bridge, with the address and the MAC that came with it. */
export function usesSpare([first]: readonly Attachment[]): boolean {
  if (first?.network.name !== "bridge" || Object.keys(first.addresses).length > 0) return false;
  return [first.mac, first.ifname, first.sysctls, first.linkLocal].every((asked) => asked === undefined);
}

/** What a record keeps of the request, for endpoints that are connected later. */
export function identity({ containerId, name, hostname, domainname = "" }: SandboxRequest) {
  return { containerId, containerName: name, hostname, domainname };
}

/** The networks host and none have an endpoint per container that says nothing but that it is there. */
export function emptyEndpoint(network: NetworkRecord, request: SandboxRequest): Endpoint {
  const nothing = {
    interface: "",
    hostInterface: "",
    ipAddress: "",
    prefixLength: 0,
    gateway: "",
    ipv6Address: "",
    ipv6PrefixLength: 0,
    ipv6Gateway: "",
    macAddress: "",
    aliases: [],
    dnsNames: [],
  };
  return named({ networkId: network.id, networkName: network.name, endpointId: randomId(), ...nothing }, [], request);
}

/** The path of a namespace that interfaces can be added to. Throws kind "conflict" for those of others. */
export function ownNamespace({ sharedWith, netnsPath, endpoints }: SandboxRecord): string {
  if (sharedWith !== undefined) {
    throw new EngineError(
      "conflict",
      "container sharing network namespace with another container or host cannot be connected to any other network",
    );
  }
  if (netnsPath === undefined) {
    throw new EngineError(
      "conflict",
      "container cannot be disconnected from host network or connected to host network",
    );
  }
  if (endpoints.some((one) => one.interface === "")) {
    throw new EngineError(
      "conflict",
      "container cannot be connected to multiple networks with one of the networks in private (none) mode",
    );
  }
  return netnsPath;
}
