/** Requests and answers about IPv4 addresses, routes and neighbours (rtnetlink(7)). */
import { formatIpv4, type Ipv4Prefix, lastOf } from "#lib/ipv4.ts";
import {
  attributeNumber,
  BodyWriter,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  type NetlinkRequest,
  parseAttributes,
  viewOf,
} from "./netlink-message.ts";
import type { Netlink } from "./netlink.ts";

/** An address of an interface. */
export interface LinkAddress extends Ipv4Prefix {
  index: number;
}

/** A route of the main table. `gateway` 0 means directly connected, `index` 0 that no single interface serves it. */
export interface Route {
  destination: Ipv4Prefix;
  gateway: number;
  index: number;
}

/** Adds an address with its broadcast address; an existing equal one stays. */
export function addAddress(index: number, address: Ipv4Prefix): NetlinkRequest {
  const body = addressBody(index, address);
  if (address.prefix < 31) body.u32be(IFA_BROADCAST, lastOf(address));
  const flags = NLM_F_CREATE | NLM_F_REPLACE;
  return { doing: `cannot add the address ${formatIpv4(address.address)}`, type: RTM_NEWADDR, flags, body: body.bytes };
}

export function deleteAddress(index: number, address: Ipv4Prefix): NetlinkRequest {
  const body = addressBody(index, address);
  return {
    doing: `cannot remove the address ${formatIpv4(address.address)}`,
    type: RTM_DELADDR,
    flags: 0,
    body: body.bytes,
  };
}

/** IPv4 addresses of one interface, or of all. */
export function listAddresses(netlink: Netlink, index = 0): LinkAddress[] {
  const body = new BodyWriter().struct(IFADDRMSG, (view) => {
    view.setUint8(0, AF_INET);
    view.setInt32(4, index, true);
  });
  return netlink
    .dump({ doing: "cannot list addresses", type: RTM_GETADDR, flags: 0, body: body.bytes })
    .map((message) => {
      const view = viewOf(message.body);
      const attributes = parseAttributes(message.body.subarray(IFADDRMSG));
      return { index: view.getInt32(4, true), address: ipv4(attributes.get(IFA_LOCAL)), prefix: view.getUint8(1) };
    });
}

/** The route to everywhere else; gateway 0: by the link alone. Rejects with kind "conflict" where there is one with the same metric. */
export function addDefaultRoute(gateway: number, index: number): NetlinkRequest {
  const body =
    gateway === 0
      ? routeBody(0, RT_TABLE_MAIN, RT_SCOPE_LINK)
      : routeBody(0, RT_TABLE_MAIN).u32be(RTA_GATEWAY, gateway);
  body.u32(RTA_OIF, index);
  const flags = NLM_F_CREATE | NLM_F_EXCL;
  return { doing: `cannot route by ${formatIpv4(gateway)}`, type: RTM_NEWROUTE, flags, body: body.bytes };
}

/** Removes the default route, whatever its gateway. */
export function deleteDefaultRoute(): NetlinkRequest {
  return {
    doing: "cannot remove the default route",
    type: RTM_DELROUTE,
    flags: 0,
    body: routeBody(0, RT_TABLE_MAIN, RT_SCOPE_NOWHERE).bytes,
  };
}

/** IPv4 routes of the main table. */
export function listRoutes(netlink: Netlink): Route[] {
  const request = {
    doing: "cannot list routes",
    type: RTM_GETROUTE,
    flags: 0,
    body: new BodyWriter().struct(RTMSG, (view) => view.setUint8(0, AF_INET)).bytes,
  };
  return netlink.dump(request).flatMap((message) => {
    const view = viewOf(message.body);
    const attributes = parseAttributes(message.body.subarray(RTMSG));
    if (attributeNumber(attributes.get(RTA_TABLE) ?? NOTHING) !== RT_TABLE_MAIN) return [];
    return [
      {
        destination: { address: ipv4(attributes.get(RTA_DST)), prefix: view.getUint8(1) },
        gateway: ipv4(attributes.get(RTA_GATEWAY)),
        index: attributeNumber(attributes.get(RTA_OIF) ?? NOTHING),
      },
    ];
  });
}

/** Says for good which MAC an address has, so that nobody need ask; replaces what was known. */
export function setNeighbour(index: number, address: number, mac: string): NetlinkRequest {
  const body = neighbourBody(index, NUD_PERMANENT).u32be(NDA_DST, address);
  body.data(
    NDA_LLADDR,
    Uint8Array.from(mac.split(":"), (byte) => Number.parseInt(byte, 16)),
  );
  const flags = NLM_F_CREATE | NLM_F_REPLACE;
  return { doing: `cannot set the neighbour ${formatIpv4(address)}`, type: RTM_NEWNEIGH, flags, body: body.bytes };
}

export function deleteNeighbour(index: number, address: number): NetlinkRequest {
  const body = neighbourBody(index, 0).u32be(NDA_DST, address);
  return {
    doing: `cannot forget the neighbour ${formatIpv4(address)}`,
    type: RTM_DELNEIGH,
    flags: 0,
    body: body.bytes,
  };
}

/** Known IPv4 neighbours of an interface, by address; those without an answer yet are left out. */
export function listNeighbours(netlink: Netlink, index: number): Map<number, string> {
  const body = neighbourBody(0, 0).u32(NDA_IFINDEX, index);
  const found = new Map<number, string>();
  for (const message of netlink.dump({
    doing: "cannot list neighbours",
    type: RTM_GETNEIGH,
    flags: 0,
    body: body.bytes,
  })) {
    const attributes = parseAttributes(message.body.subarray(NDMSG));
    const mac = attributes.get(NDA_LLADDR);
    if (mac === undefined) continue;
    found.set(ipv4(attributes.get(NDA_DST)), Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join(":"));
  }
  return found;
}

function addressBody(index: number, { address, prefix }: Ipv4Prefix): BodyWriter {
  return new BodyWriter()
    .struct(IFADDRMSG, (view) => {
      view.setUint8(0, AF_INET);
      view.setUint8(1, prefix);
      view.setInt32(4, index, true);
    })
    .u32be(IFA_LOCAL, address)
    .u32be(IFA_ADDRESS, address);
}

/** rtmsg of a unicast route. */
function routeBody(prefix: number, table: number, scope = RT_SCOPE_UNIVERSE): BodyWriter {
  return new BodyWriter().struct(RTMSG, (view) => {
    view.setUint8(0, AF_INET);
    view.setUint8(1, prefix);
    view.setUint8(4, table);
    view.setUint8(5, RTPROT_BOOT);
    view.setUint8(6, scope);
    view.setUint8(7, RTN_UNICAST);
  });
}

function neighbourBody(index: number, state: number): BodyWriter {
  return new BodyWriter().struct(NDMSG, (view) => {
    view.setUint8(0, AF_INET);
    view.setInt32(4, index, true);
    view.setUint16(8, state, true);
  });
}

function ipv4(value: Uint8Array | undefined): number {
  return value === undefined || value.length < 4 ? 0 : viewOf(value).getUint32(0, false);
}

const NOTHING = new Uint8Array(0);
const AF_INET = 2;
const IFADDRMSG = 8;
const RTMSG = 12;
const NDMSG = 12;

const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;
const RTM_NEWNEIGH = 28;
const RTM_DELNEIGH = 29;
const RTM_GETNEIGH = 30;

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_TABLE = 15;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NDA_IFINDEX = 8;

const RT_TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
/** In a removal: any. */
const RT_SCOPE_NOWHERE = 255;
const RTN_UNICAST = 1;
const NUD_PERMANENT = 0x80;
