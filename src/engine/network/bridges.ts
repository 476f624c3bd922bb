/** Makes and removes the bridge device of a network, and repairs one that lost an address or its options. */
import { EngineError } from "#lib/errors.ts";
import { addressOf, formatPrefix, type IpFamily, type IpPrefix, overlap, prefixOf } from "#lib/ip.ts";
import { changeLink, createBridge, deleteLink, findLink, listLinks } from "#linux/netlink-link.ts";
import { addAddress, deleteAddress, listAddresses } from "#linux/netlink-route.ts";
import type { Netlink } from "#linux/netlink.ts";
import { ENODEV, hasErrno } from "#linux/syscall-error.ts";
import { FAMILIES, subnetOf } from "./families.ts";
import { macOf } from "./names.ts";
import type { BridgeConfig } from "./store.ts";
import { hasIpv6, writeSysctl } from "./sysctls.ts";

/**
 * Brings the device to what `config` says and answers its index. Idempotent. Throws kind "conflict" where the name
 * belongs to something that is no bridge, "unavailable" for a network of IPv6 where the kernel has none.
 */
export function ensureBridge(netlink: Netlink, config: BridgeConfig): number {
  const { device, ipv4, ipv6, mtu } = config;
  let link = findLink(netlink, device);
  if (link === undefined) {
    // The address is given, so that it does not follow the ports and upset neighbours' caches.
    const mac = macOf([ipv4?.gateway, ipv6?.gateway, ipv4?.subnet, ipv6?.subnet].find(Boolean)?.split("/")[0] ?? "::");
    netlink.execute(createBridge({ name: device, mac, ...(mtu === 0 ? {} : { mtu }) }));
    link = findLink(netlink, device);
  }
  if (link === undefined) throw new EngineError("internal", `cannot create the bridge ${device}: it vanished`);
  if (link.kind !== "bridge") {
    throw new EngineError("conflict", `cannot use ${device} as a bridge: this host has an interface of that name`);
  }
  setIpv6(device, addressFor(config, 6) !== undefined);
  for (const family of FAMILIES) setAddress(netlink, link.index, family, addressFor(config, family));
  netlink.execute(changeLink(link.index, { up: true }));
  // Lets 127.0.0.1 on the host reach published ports; the raw chain keeps containers from using it.
  writeSysctl(`net/ipv4/conf/${device}/route_localnet`, "1");
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

/** The address that the device has of a family, with its prefix. */
function addressFor(config: BridgeConfig, family: IpFamily): IpPrefix | undefined {
  const subnet = subnetOf(config, family);
  if (subnet === undefined || subnet.gateway === "" || subnet.mode === "isolated") return undefined;
  if (family === 4 && config.withoutAddress === true) return undefined;
  return { ...addressOf(subnet.gateway), bits: prefixOf(subnet.subnet).bits };
}

/**
 * Without IPv6 no neighbour can configure the bridge by router advertisements, with it they are not heeded. Its address
 * on the link, which asks for neighbours' MACs, can be used at once.
 */
function setIpv6(device: string, on: boolean): void {
  if (!hasIpv6()) {
    if (on) throw new EngineError("unavailable", `cannot use IPv6 on ${device}: this kernel has none`);
    return;
  }
  const folder = `net/ipv6/conf/${device}`;
  if (on) {
    writeSysctl(`${folder}/accept_ra`, "0");
    writeSysctl(`${folder}/accept_dad`, "0");
  }
  writeSysctl(`${folder}/disable_ipv6`, on ? "0" : "1");
}

function setAddress(netlink: Netlink, index: number, family: IpFamily, wanted: IpPrefix | undefined): void {
  const shown = wanted === undefined ? "" : formatPrefix(wanted);
  const stale = listAddresses(netlink, family, index).filter(
    (one) => formatPrefix(one) !== shown && !overlap(one, LINK_LOCAL),
  );
  netlink.execute(
    ...stale.map((one) => deleteAddress(index, one)),
    ...(wanted === undefined ? [] : [addAddress(index, wanted)]),
  );
}

/** The kernel's own; those of a network there are chosen by the user and differ in nothing that matters. */
const LINK_LOCAL = prefixOf("fe80::/64");
