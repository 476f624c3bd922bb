/** Makes and removes the bridge device of a network, and repairs one that lost its address or its options. */
import { readFileSync, writeFileSync } from "node:fs";
import { EngineError } from "#lib/errors.ts";
import type { Ipv4Prefix } from "#lib/ipv4.ts";
import { changeLink, createBridge, deleteLink, findLink, listLinks } from "#linux/netlink-link.ts";
import { addAddress, deleteAddress, listAddresses, listRoutes } from "#linux/netlink-route.ts";
import type { Netlink } from "#linux/netlink.ts";
import { ENODEV, hasErrno } from "#linux/syscall-error.ts";
import { macOf } from "./names.ts";
import type { BridgeConfig } from "./store.ts";

/**
 * Brings the device to what `config` says and answers its index. Idempotent.
 * Throws kind "conflict" where the name belongs to something that is no bridge.
 */
export function ensureBridge(netlink: Netlink, config: BridgeConfig): number {
  const { device, gateway, subnet, mtu } = config;
  let link = findLink(netlink, device);
  if (link === undefined) {
    // The address is given, so that it does not follow the ports and upset neighbours' caches.
    netlink.execute(createBridge({ name: device, mac: macOf({ address: gateway }), ...(mtu === 0 ? {} : { mtu }) }));
    link = findLink(netlink, device);
  }
  if (link === undefined) throw new EngineError("internal", `cannot create the bridge ${device}: it vanished`);
  if (link.kind !== "bridge") {
    throw new EngineError("conflict", `cannot use ${device} as a bridge: this host has an interface of that name`);
  }
  const wanted = { address: gateway, prefix: subnet.prefix };
  const stale = listAddresses(netlink, link.index).filter(
    (one) => one.address !== gateway || one.prefix !== subnet.prefix,
  );
  netlink.execute(
    ...stale.map((one) => deleteAddress(one.index, one)),
    addAddress(link.index, wanted),
    changeLink(link.index, { up: true }),
  );
  // Lets 127.0.0.1 on the host reach published ports; the raw chain keeps containers from using it.
  writeSysctl(`net/ipv4/conf/${device}/route_localnet`, "1");
  // The bridge itself needs no IPv6, and without it no neighbour can configure it by router advertisements.
  writeSysctl(`net/ipv6/conf/${device}/disable_ipv6`, "1");
  return link.index;
}

/** Idempotent. Takes 20 ms and more. */
export function removeBridge(netlink: Netlink, device: string): void {
  try {
    netlink.execute(deleteLink(device));
  } catch (error) {
    if (!hasErrno(error, ENODEV)) throw error;
  }
}

/** Names of the veth devices in the bridge. */
export function bridgePorts(netlink: Netlink, bridge: number): string[] {
  return listLinks(netlink, { master: bridge })
    .filter(({ kind }) => kind === "veth")
    .map(({ name }) => name);
}

/** Subnets that this host reaches already, the default route left out. */
export function routedSubnets(netlink: Netlink): Ipv4Prefix[] {
  const routes = listRoutes(netlink)
    .map(({ destination }) => destination)
    .filter(({ prefix }) => prefix > 0);
  return [...routes, ...listAddresses(netlink)];
}

/** Turns on forwarding, without which no container reaches anything. */
export function enableForwarding(): void {
  writeSysctl("net/ipv4/ip_forward", "1");
}

function writeSysctl(name: string, value: string): void {
  const path = `/proc/sys/${name}`;
  let before: string;
  try {
    before = readFileSync(path, "utf8").trim();
  } catch (error) {
    // A kernel without IPv6 has none of its files.
    if (name.startsWith("net/ipv6/")) return;
    throw new EngineError("internal", `cannot read ${path}`, { cause: error });
  }
  if (before === value) return;
  try {
    writeFileSync(path, value);
  } catch (cause) {
    throw new EngineError("internal", `cannot set ${name.replaceAll("/", ".")} to ${value}`, { cause });
  }
}
