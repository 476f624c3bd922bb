/** Reads port bindings as the Engine API has them: which ports are wanted where, and what inspect shows. */
import type { PortMap } from "#api/types/container-config.ts";
import { EngineError } from "#lib/errors.ts";
import { formatIpv4, parseIpv4 } from "#lib/ipv4.ts";

export type Protocol = "tcp" | "udp" | "sctp";

/** One wish: a container port, and where on the host it shall appear. */
export interface PortRequest {
  protocol: Protocol;
  containerPort: number;
  /** 0 is every address of the host. */
  hostAddress: number;
  /** The first free one of these; 0 to 0 is any of the ephemeral range. */
  hostPorts: { first: number; last: number };
}

/** One port as it is published. */
export interface PublishedPort {
  protocol: Protocol;
  containerPort: number;
  hostAddress: number;
  hostPort: number;
}

/** The wishes of a container, ordered by container port. `defaultAddress` stands for an empty HostIp. Throws kind "invalid". */
export function portRequests(
  bindings: PortMap,
  exposed: readonly string[],
  publishAll: boolean,
  defaultAddress: number,
): PortRequest[] {
  const requests: PortRequest[] = [];
  for (const [key, list] of Object.entries(bindings)) {
    const { containerPort, protocol } = parsePortKey(key);
    // An empty list of bindings means: publish somewhere.
    for (const { HostIp, HostPort } of list?.length ? list : [{ HostIp: "", HostPort: "" }]) {
      requests.push({
        protocol,
        containerPort,
        hostAddress: hostAddress(HostIp, defaultAddress),
        hostPorts: portRange(HostPort),
      });
    }
  }
  if (publishAll) {
    for (const key of exposed) {
      const { containerPort, protocol } = parsePortKey(key);
      if (requests.some((request) => request.containerPort === containerPort && request.protocol === protocol))
        continue;
      requests.push({ protocol, containerPort, hostAddress: defaultAddress, hostPorts: { first: 0, last: 0 } });
    }
  }
  return requests.toSorted((a, b) => a.containerPort - b.containerPort || a.protocol.localeCompare(b.protocol));
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
      HostIp: formatIpv4(port.hostAddress),
      HostPort: String(port.hostPort),
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

function hostAddress(text: string, defaultAddress: number): number {
  if (text === "") return defaultAddress;
  const address = parseIpv4(text);
  if (address !== undefined) return address;
  if (text.includes(":")) {
    throw new EngineError("not-implemented", `cannot publish on ${text}: ports are published on IPv4 addresses only`);
  }
  throw new EngineError("invalid", `invalid IP address: ${text}`);
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65535;
}
