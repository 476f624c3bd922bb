/**
 * Links of the default bridge (`--link`): a container finds others, that were started before it, by entries in its
 * hosts file and by variables. On networks of one's own a link is a name of the DNS server (network/link-option.ts).
 */
import type { HostConfig } from "#api/types/container-config.ts";
import { parseLink } from "#engine/network/link-option.ts";
import type { Endpoint, LinkedHost } from "#engine/network/types.ts";
import { EngineError } from "#lib/errors.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { type ContainerRecord, isRunning } from "./record.ts";
import type { ContainerStore } from "./store.ts";

/** Kept by id: both containers may be renamed. */
export interface ContainerLink {
  readonly child: string;
  readonly alias: string;
}

const DEFAULT_NETWORK = "bridge";
const HOST_CONFLICT =
  "conflicting options: host type networking can't be used with links. This would result in undefined behavior";
const CONTAINER_CONFLICT =
  "conflicting options: container type network can't be used with links. This would result in undefined behavior";

/** Takes the links of the default bridge out of a request. Throws kind "invalid" with Docker's words. */
export function takeLinks(containers: ContainerStore, hostConfig: HostConfig): ContainerLink[] {
  const { Links, NetworkMode } = hostConfig;
  if (!Links?.length) return [];
  if (NetworkMode === "host") throw new EngineError("invalid", HOST_CONFLICT);
  if (NetworkMode.startsWith("container:")) throw new EngineError("invalid", CONTAINER_CONFLICT);
  if (NetworkMode !== DEFAULT_NETWORK && NetworkMode !== "none") return [];
  const found = new Map<string, ContainerLink>();
  for (const { target, alias } of Links.map(parseLink)) {
    let child = childOf(containers, target);
    for (let mode = modeOf(child); mode.startsWith("container:"); mode = modeOf(child)) {
      child = childOf(containers, mode.slice("container:".length));
    }
    if (modeOf(child) === "host") throw new EngineError("invalid", HOST_CONFLICT);
    // As Docker: the first keeps the name.
    if (!found.has(alias)) found.set(alias, { child: child.id, alias });
  }
  hostConfig.Links = null;
  return [...found.values()];
}

/** As inspect shows them: `/child:/own/alias`. */
export function linkTexts(containers: ContainerStore, { name, links = [] }: ContainerRecord): string[] | null {
  const texts = links.flatMap(({ child, alias }) => {
    const found = containers.find(child);
    return found === undefined ? [] : [`/${found.name}:/${name}/${alias}`];
  });
  return texts.length === 0 ? null : texts;
}

/** What the containers that link to others call these, `/parent/alias`, by the other's id. */
export function linkedNames(containers: ContainerStore): Map<string, string[]> {
  const names = new Map<string, string[]>();
  for (const { record } of containers.all()) {
    for (const { child, alias } of record.links ?? []) {
      names.set(child, [...(names.get(child) ?? []), `/${record.name}/${alias}`]);
    }
  }
  return names;
}

interface OpenLinks {
  readonly hosts: LinkedHost[];
  /** Variables, those of the container's own left out. */
  readonly env: string[];
}

/** For a start. Throws where a linked container does not run or has left the default bridge. */
export function openLinks(context: EngineContext, record: ContainerRecord): OpenLinks {
  const children = childrenOf(context, record);
  for (const { child, alias, endpoint } of children) {
    if (!isRunning(child.state)) {
      const message = `Cannot link to a non running container: /${child.name} AS /${record.name}/${alias}`;
      throw new EngineError("internal", message);
    }
    if (endpoint === undefined) {
      throw new EngineError("internal", `Cannot link to /${child.name}, as it does not belong to the default network`);
    }
  }
  const own = new Set((record.config.Env ?? []).map(nameOf));
  return {
    hosts: linkedHosts(context, record),
    env: children
      .flatMap(({ child, alias, endpoint }) => variables(record.name, alias, child.record, endpoint?.ipAddress ?? ""))
      .filter((variable) => !own.has(nameOf(variable))),
  };
}

/** Of those that run: alias, host name and name by each address. */
export function linkedHosts(context: EngineContext, record: ContainerRecord): LinkedHost[] {
  return childrenOf(context, record).flatMap(({ child, alias, endpoint }) => {
    if (endpoint === undefined) return [];
    const names = [alias, child.record.config.Hostname, ...(alias === child.name ? [] : [child.name])].join(" ");
    return [endpoint.ipAddress, endpoint.ipv6Address]
      .filter((address) => address !== "")
      .map((address) => ({ name: names, address }));
  });
}

interface LinkedChild {
  child: Container;
  alias: string;
  /** In the default bridge; undefined where it is not there. */
  endpoint: Endpoint | undefined;
}

function childrenOf({ containers, networks }: EngineContext, record: ContainerRecord): LinkedChild[] {
  const { links = [], hostConfig, networkingConfig } = record;
  const joined =
    hostConfig.NetworkMode === DEFAULT_NETWORK || DEFAULT_NETWORK in (networkingConfig.EndpointsConfig ?? {});
  if (!joined) return [];
  return links.flatMap(({ child: id, alias }) => {
    // A removed one is no link any more.
    const child = containers.find(id);
    const endpoints = networks.sandbox(id)?.endpoints ?? [];
    const endpoint = endpoints.find(({ networkName }) => networkName === DEFAULT_NETWORK);
    return child === undefined ? [] : [{ child, alias, endpoint }];
  });
}

interface ExposedPort {
  number: number;
  protocol: string;
}

/** Docker's variables of a link, in its order. */
function variables(parent: string, alias: string, { config }: ContainerRecord, address: string): string[] {
  const prefix = alias.toUpperCase().replaceAll("-", "_");
  const ports = Object.keys(config.ExposedPorts ?? {})
    .map((text): ExposedPort => ({ number: Number(text.split("/")[0]), protocol: text.split("/")[1] ?? "tcp" }))
    .toSorted(tcpFirst);
  const [first] = ports;
  const url = ({ number, protocol }: ExposedPort) => `${protocol}://${address}:${number}`;
  const name = ({ number, protocol }: ExposedPort) => `${prefix}_PORT_${number}_${protocol.toUpperCase()}`;
  const own = (config.Env ?? []).filter((text) => text.includes("=") && !["HOME", "PATH"].includes(nameOf(text)));
  return [
    ...(first === undefined ? [] : [`${prefix}_PORT=${url(first)}`]),
    ...ports.flatMap((port) => [
      `${name(port)}=${url(port)}`,
      `${name(port)}_ADDR=${address}`,
      `${name(port)}_PORT=${port.number}`,
      `${name(port)}_PROTO=${port.protocol}`,
    ]),
    ...ranges(ports).flatMap(([start, end]) => [
      `${name(start)}_START=${url(start)}`,
      `${name(start)}_PORT_START=${start.number}`,
      `${name(start)}_END=${url(end)}`,
      `${name(start)}_PORT_END=${end.number}`,
    ]),
    `${prefix}_NAME=/${parent}/${alias}`,
    ...own.map((text) => `${prefix}_ENV_${text}`),
  ];
}

/** Ports of one protocol that follow each other, two and more. */
function ranges(ports: readonly ExposedPort[]): [start: ExposedPort, end: ExposedPort][] {
  const found: [ExposedPort, ExposedPort][] = [];
  for (const port of ports) {
    const last = found.at(-1);
    if (last !== undefined && port.protocol === last[1].protocol && port.number === last[1].number + 1) last[1] = port;
    else found.push([port, port]);
  }
  return found.filter(([start, end]) => start !== end);
}

function tcpFirst(a: ExposedPort, b: ExposedPort): number {
  if (a.protocol === b.protocol) return a.number - b.number;
  if (a.protocol === "tcp") return -1;
  return b.protocol === "tcp" || a.protocol > b.protocol ? 1 : -1;
}

function nameOf(variable: string): string {
  return variable.split("=", 1)[0] ?? "";
}

function modeOf({ record }: Container): string {
  return record.hostConfig.NetworkMode;
}

function childOf(containers: ContainerStore, reference: string): Container {
  const found = containers.find(reference);
  if (found !== undefined) return found;
  throw new EngineError("invalid", `could not get container for ${reference}: No such container: ${reference}`);
}
