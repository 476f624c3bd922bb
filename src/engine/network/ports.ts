/** Reads port bindings as the Engine API has them: which ports are wanted where, and what inspect shows. */
import type { PortMap } from "#api/types/container-config.ts";
import { EngineError } from "#lib/errors.ts";
import { ANY, canonicalAddress, type IpFamily } from "#lib/ip.ts";
import { FAMILIES, familyOfText } from "./families.ts";

export type Protocol = "tcp" | "udp" | "sctp";

/** One wish: a container port, and where on the host it shall appear. */
export interface PortWish {
  protocol: Protocol;
  containerPort: number;
  /** Empty is what the network has as default. */
  hostIp: string;
  /** The first free one of these; 0 to 0 is any of the ephemeral range. */
  hostPorts: { first: number; last: number };
}

/** A port that shall be the same on all of these addresses. */
export interface PortRequest extends Omit<PortWish, "hostIp"> {
  /** `0.0.0.0` and `::` are every address of the host. */
  hostAddresses: string[];
  /** Those of them that a wish without an address stands for. */
  implied: string[];
  /** Families in which the container is reached on its own address: there the port takes no host port. */
  direct: readonly IpFamily[];
}

/** One port as it is published. */
export interface PublishedPort {
  protocol: Protocol;
  containerPort: number;
  hostAddress: string;
  /** 0 where it is reached on the container's own address only. */
  hostPort: number;
  /** No address was named: it is everywhere, in all families that lead to the container. */
  implied?: true;
}

/** Where ports can lead: by family, whether to the container through a host port or directly. */
export interface PortRoutes {
  /** Stands for an empty HostIp; `0.0.0.0` is everywhere, in both families. */
  hostBinding: string;
  4?: "translated" | "direct";
  6?: "translated" | "direct";
}

/** The wishes of a container, ordered by container port. Throws kind "invalid". */
export function portWishes(bindings: PortMap, exposed: readonly string[], publishAll: boolean): PortWish[] {
  const wishes: PortWish[] = [];
  for (const [key, list] of Object.entries(bindings)) {
    const { containerPort, protocol } = parsePortKey(key);
    // An empty list of bindings means: publish somewhere.
    for (const { HostIp, HostPort } of list?.length ? list : [{ HostIp: "", HostPort: "" }]) {
      wishes.push({ protocol, containerPort, hostIp: hostAddress(HostIp), hostPorts: portRange(HostPort) });
    }
  }
  if (publishAll) {
    for (const key of exposed) {
      const { containerPort, protocol } = parsePortKey(key);
      if (wishes.some((wish) => wish.containerPort === containerPort && wish.protocol === protocol)) continue;
      wishes.push({ protocol, containerPort, hostIp: "", hostPorts: { first: 0, last: 0 } });
    }
  }
  return wishes.toSorted((a, b) => a.containerPort - b.containerPort || a.protocol.localeCompare(b.protocol));
}

/**
 * What to claim for the wishes in a container that `routes` lead to. Wishes that differ in the address alone become one
 * request, so that a name of both families leads to one port. A wish for an address of a family that the container
 * does not have leads nowhere and is left out.
 */
export function portRequests(wishes: readonly PortWish[], routes: PortRoutes): PortRequest[] {
  const requests: PortRequest[] = [];
  const direct = FAMILIES.filter((family) => routes[family] === "direct");
  for (const { protocol, containerPort, hostIp, hostPorts } of wishes) {
    for (const address of hostAddresses(hostIp, routes)) {
      const isOpen =
        direct.includes(familyOfText(address)) &&
        requests.some(
          (one) =>
            one.containerPort === containerPort && one.protocol === protocol && one.hostAddresses.includes(address),
        );
      if (isOpen) continue;
      const same = requests.find(
        (one) =>
          one.containerPort === containerPort &&
          one.protocol === protocol &&
          one.hostPorts.first === hostPorts.first &&
          one.hostPorts.last === hostPorts.last &&
          !one.hostAddresses.includes(address),
      );
      const request = same ?? { protocol, containerPort, hostPorts, hostAddresses: [], implied: [], direct };
      if (same === undefined) requests.push(request);
      request.hostAddresses.push(address);
      if (hostIp === "" && address === ANY[familyOfText(address)]) request.implied.push(address);
    }
  }
  return requests;
}

/** NetworkSettings.Ports: exposed ports that are not published have null. */
export function portMap(published: readonly PublishedPort[], exposed: readonly string[]): PortMap {
  const map: PortMap = {};
  for (const key of exposed) {
    const { containerPort, protocol } = parsePortKey(key);
    map[`${containerPort}/${protocol}`] = null;
  }
  for (const port of published) {
    (map[`${port.containerPort}/${port.protocol}`] ??= []).push({
      HostIp: port.hostAddress,
      HostPort: port.hostPort === 0 ? "" : String(port.hostPort),
    });
  }
  return map;
}

/** `80/tcp`; without a protocol it is tcp. */
export function parsePortKey(key: string): { containerPort: number; protocol: Protocol } {
  const [port = "", protocol = "tcp", ...more] = key.toLowerCase().split("/");
  if (!isPort(port) || Number(port) === 0 || more.length > 0) {
    throw new EngineError("invalid", `invalid port specification: "${key}"`);
  }
  if (protocol !== "tcp" && protocol !== "udp" && protocol !== "sctp") {
    throw new EngineError("invalid", `invalid protocol: ${protocol}`);
  }
  return { containerPort: Number(port), protocol };
}

function portRange(text: string): { first: number; last: number } {
  const [first = "", last = first, ...more] = text === "" ? ["0"] : text.split("-");
  if (!isPort(first) || !isPort(last) || Number(last) < Number(first) || more.length > 0) {
    throw new EngineError("invalid", `invalid port specification: "${text}"`);
  }
  return { first: Number(first), last: Number(last) };
}

/** By family, the addresses that a wish means. Only a port without host address is everywhere where it is direct. */
function hostAddresses(hostIp: string, routes: PortRoutes): string[] {
  return FAMILIES.flatMap((family) => {
    const route = routes[family];
    if (route === undefined || (hostIp !== "" && familyOfText(hostIp) !== family)) return [];
    if (hostIp === "" && routes.hostBinding !== ANY[4] && familyOfText(routes.hostBinding) !== family) return [];
    if (route === "direct" || (hostIp === "" && routes.hostBinding === ANY[4])) return [ANY[family]];
    return [hostIp === "" ? routes.hostBinding : hostIp];
  });
}

function hostAddress(text: string): string {
  if (text === "") return "";
  const address = canonicalAddress(text);
  if (address === undefined) throw new EngineError("invalid", `invalid IP address: ${text}`);
  return address;
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65535;
}
