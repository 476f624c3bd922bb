/** What a new network must keep clear of: everything that this host reaches already. */
import { type IpFamily, type IpPrefix, parseAddress, WIDTH } from "#lib/ip.ts";
import { listAddresses, listRoutes, LOCAL_TABLE } from "#linux/netlink-route.ts";
import type { Netlink } from "#linux/netlink.ts";
import { hostResolvConfText, parseResolvConf } from "./resolv-conf.ts";

/** Of one family. */
export interface ReservedSubnets {
  /** The host's own links, and its name servers. */
  near: IpPrefix[];
  /** What it reaches through others, by any table: VPNs with policy routing too. */
  far: IpPrefix[];
}

export function reservedSubnets(netlink: Netlink, family: IpFamily): ReservedSubnets {
  const routes = listRoutes(netlink, family).filter(
    ({ table, destination }) => table !== LOCAL_TABLE && destination.bits > DEFAULT_ROUTE_BITS,
  );
  const servers = parseResolvConf(hostResolvConfText()).nameservers.flatMap((text): IpPrefix[] => {
    const address = parseAddress(text);
    return address?.family === family ? [{ ...address, bits: WIDTH[family] }] : [];
  });
  const near = routes.filter(({ gateway }) => gateway === undefined).map(({ destination }) => destination);
  const far = routes.filter(({ gateway }) => gateway !== undefined).map(({ destination }) => destination);
  return { near: [...near, ...listAddresses(netlink, family), ...servers], far };
}

/** Some VPNs put two routes of one bit in front of the default route. */
const DEFAULT_ROUTE_BITS = 1;
