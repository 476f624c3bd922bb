/** What containers have of networks: by the kernel, and by what the daemon tells. */
import { readdirSync, readlinkSync } from "node:fs";
import type { NetworkInspect } from "#api/types/network.ts";
import { defaultNames } from "#engine/network/names.ts";
import { Nftables } from "#linux/nftables.ts";
import type { Box } from "./box.ts";
import { shell } from "./change.ts";
import type { Engine } from "./engine.ts";

export interface NetworkState {
  /** Addresses with prefix lengths, loopback left out. */
  addresses: string[];
  /** Gateways of default routes. */
  routes: string[];
  /** Own addresses in /etc/hosts. */
  hosts: string[];
}

export async function seenState(box: Box): Promise<NetworkState> {
  const text = await shell(box, "ip -4 -o addr; echo; ip route; echo; cat /etc/hosts");
  const [addresses = "", routes = "", ...hosts] = text.split("\n\n");
  const hostname = box.id.slice(0, 12);
  return {
    addresses: [...addresses.matchAll(/inet (\S+)/g)]
      .map(([, one = ""]) => one)
      .filter((one) => !one.startsWith("127.")),
    routes: [...routes.matchAll(/^default via (\S+)/gm)].map(([, one = ""]) => one),
    hosts: hosts
      .join("\n")
      .split("\n")
      .filter((line) => line.endsWith(`\t${hostname}`))
      .map((line) => line.split("\t")[0] ?? "")
      .toSorted(),
  };
}

/** None of the networks has a priority: the first by name gives the route. */
export async function toldState(box: Box): Promise<NetworkState> {
  const networks = Object.entries((await box.inspect()).NetworkSettings.Networks);
  const live = networks.filter(([, { IPAddress }]) => IPAddress !== "").toSorted(([a], [b]) => (a < b ? -1 : 1));
  return {
    addresses: live.map(([, { IPAddress, IPPrefixLen }]) => `${IPAddress}/${IPPrefixLen}`),
    routes: live.slice(0, 1).map(([, { Gateway }]) => Gateway),
    hosts: live.map(([, { IPAddress }]) => IPAddress).toSorted(),
  };
}

export function sorted(state: NetworkState): NetworkState {
  return { ...state, addresses: state.addresses.toSorted() };
}

/** Which containers each network has, by the daemon. */
export async function toldMembers(engine: Engine): Promise<Record<string, string[]>> {
  const networks = await engine.wire.json<NetworkInspect[]>("GET", "/networks");
  const members: Record<string, string[]> = {};
  for (const { Name, Id } of networks) {
    const { Containers } = await engine.wire.json<NetworkInspect>("GET", `/networks/${Id}`);
    members[Name] = Object.keys(Containers).toSorted();
  }
  return members;
}

/** Number of ports of the daemon's bridges, by device. */
export function bridgePorts(engine: Engine): Record<string, number> {
  const ports: Record<string, number> = {};
  for (const device of elements(engine, "set", "bridges")) ports[String(device)] = 0;
  for (const name of readdirSync("/sys/class/net")) {
    const master = masterOf(name);
    if (master in ports) ports[master] = (ports[master] ?? 0) + 1;
  }
  return ports;
}

/** Host ports that the kernel leads somewhere over IPv4. */
export function publishedPorts(engine: Engine): number {
  return elements(engine, "map", "published").length + elements(engine, "map", "published_on").length;
}

function elements(engine: Engine, kind: "set" | "map", name: string): unknown[] {
  using nft = new Nftables();
  const found = nft.list(`${kind} inet ${defaultNames(engine.execRoot).table} ${name}`, { elements: true }) ?? [];
  return found.flatMap((item) => (item[kind] as { elem?: unknown[] } | undefined)?.elem ?? []);
}

function masterOf(name: string): string {
  try {
    return readlinkSync(`/sys/class/net/${name}/master`).split("/").at(-1) ?? "";
  } catch {
    return "";
  }
}
