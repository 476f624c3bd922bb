/** Which ports a container publishes after a change. */
import type { PortSelector } from "#api/types/change.ts";
import type { PortBinding, PortMap } from "#api/types/container-config.ts";
import type { ContainerRecord } from "#engine/container/record.ts";
import { parsePortKey, portWishes, type PublishedPort } from "#engine/network/ports.ts";
import { EngineError } from "#lib/errors.ts";
import { canonicalAddress } from "#lib/ip.ts";

export interface PortPlan {
  add: PortMap;
  /** Of those that are published. */
  remove: PublishedPort[];
}

/**
 * Changes `next`; `published` is what a running container has, undefined where it does not run. Throws kind "invalid"
 * for what is no port, "conflict" for a selector that fits none, or a binding that is there already.
 */
export function changePorts(
  next: ContainerRecord,
  { Add, Remove }: { Add?: PortMap | null; Remove?: PortSelector[] | null },
  published: readonly PublishedPort[] | undefined,
): PortPlan {
  const { hostConfig, config } = next;
  const add = normalized(Add ?? {});
  portWishes(add, [], false);
  const bindings = normalized(hostConfig.PortBindings ?? {});
  const removed = new Set<PublishedPort>();
  if (Remove?.length && hostConfig.PublishAllPorts) {
    // What is published because it is exposed can be left out only where each one is named.
    hostConfig.PublishAllPorts = false;
    for (const key of Object.keys(normalized(config.ExposedPorts ?? {}))) bindings[key] ??= [anywhere];
  }
  for (const selector of Remove ?? []) {
    if (published !== undefined) {
      const meant = published.filter((port) => fits(selector, key(port), port.hostAddress, port.hostPort));
      if (meant.length === 0) throw absent(selector);
      for (const port of meant) removed.add(port);
    } else if (!takeFitting(bindings, selector)) {
      throw absent(selector);
    }
  }
  const kept = published?.filter((port) => !removed.has(port)) ?? [];
  for (const port of removed) takeBinding(bindings, port, kept);
  for (const [port, list] of Object.entries(add)) {
    const known = bindings[port] ?? [];
    for (const one of list ?? []) {
      const isKnown = known.some(({ HostIp, HostPort }) => HostIp === one.HostIp && HostPort === one.HostPort);
      if (isKnown && !isAnywhere(one)) {
        throw new EngineError("conflict", `port ${port} is published on ${one.HostIp}:${one.HostPort} already`);
      }
    }
    bindings[port] = [...known, ...(list ?? [])];
  }
  hostConfig.PortBindings = bindings;
  return { add, remove: [...removed] };
}

const anywhere: PortBinding = { HostIp: "", HostPort: "" };

/** `80` is `80/tcp`, and no binding at all is one of any port. */
function normalized(map: Readonly<Record<string, unknown>>): Record<string, PortBinding[]> {
  const result: Record<string, PortBinding[]> = {};
  for (const [text, list] of Object.entries(map)) {
    const { containerPort, protocol } = parsePortKey(text);
    const given = Array.isArray(list) && list.length > 0 ? (list as PortBinding[]) : [anywhere];
    (result[`${containerPort}/${protocol}`] ??= []).push(...given);
  }
  return result;
}

function key({ containerPort, protocol }: PublishedPort): string {
  return `${containerPort}/${protocol}`;
}

function isAnywhere({ HostPort }: PortBinding): boolean {
  return HostPort === "" || HostPort === "0";
}

function fits(selector: PortSelector, port: string, hostIp: string, hostPort: number | string): boolean {
  const { Port = "", HostIp = "", HostPort = "", Protocol = "" } = selector;
  if (Port === "" && HostPort === "") throw new EngineError("invalid", "no port is specified to be removed");
  const wanted = Port === "" ? undefined : parsePortKey(Port);
  const protocol = (wanted?.protocol ?? Protocol) || "tcp";
  return (
    port.endsWith(`/${protocol}`) &&
    (wanted === undefined || port === `${wanted.containerPort}/${wanted.protocol}`) &&
    (HostIp === "" || HostIp === hostIp || canonicalAddress(HostIp) === hostIp) &&
    (HostPort === "" || HostPort === String(hostPort))
  );
}

/**
 * Takes the binding by which a port is published: the one that names it rather than a range or any. One that names no
 * address is there in both families: what stays of it gets its address.
 */
function takeBinding(
  bindings: Record<string, PortBinding[]>,
  port: PublishedPort,
  kept: readonly PublishedPort[],
): void {
  const list = bindings[key(port)] ?? [];
  const onAddress = list.filter(({ HostIp }) => HostIp === "" || canonicalAddress(HostIp) === port.hostAddress);
  const exact = onAddress.find(({ HostPort }) => HostPort === String(port.hostPort));
  const range = onAddress.find(({ HostPort }) => {
    const [first, last] = HostPort.split("-").map(Number);
    return first !== undefined && last !== undefined && first <= port.hostPort && port.hostPort <= last;
  });
  const taken = exact ?? range ?? onAddress.find(isAnywhere);
  drop(bindings, key(port), taken);
  if (taken?.HostIp !== "") return;
  const rest = kept.filter((other) => key(other) === key(port) && other.hostPort === port.hostPort);
  const left = rest.map(({ hostAddress }) => ({ HostIp: hostAddress, HostPort: taken.HostPort }));
  if (left.length > 0) bindings[key(port)] = [...(bindings[key(port)] ?? []), ...left];
}

function takeFitting(bindings: Record<string, PortBinding[]>, selector: PortSelector): boolean {
  let found = false;
  for (const [port, list] of Object.entries(bindings)) {
    for (const binding of list.filter(({ HostIp, HostPort }) => fits(selector, port, HostIp, HostPort))) {
      found = true;
      drop(bindings, port, binding);
    }
  }
  return found;
}

function drop(bindings: Record<string, PortBinding[]>, port: string, binding: PortBinding | undefined): void {
  const rest = (bindings[port] ?? []).filter((one) => one !== binding);
  if (rest.length > 0) bindings[port] = rest;
  else delete bindings[port];
}

function absent({ Port = "", HostIp = "", HostPort = "" }: PortSelector): EngineError {
  const shown = [HostIp, HostPort, Port].filter((text) => text !== "").join(":");
  return new EngineError("conflict", `the container does not publish ${shown}`);
}
