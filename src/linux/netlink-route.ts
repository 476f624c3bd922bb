/** Requests and answers about addresses, routes and neighbours of both families (rtnetlink(7)). */
import {
  addressBytes,
  addressFromBytes,
  formatAddress,
  type IpAddress,
  type IpFamily,
  type IpPrefix,
  lastOf,
} from "#lib/ip.ts";
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
export interface LinkAddress extends IpPrefix {
  index: number;
}

/** `index` is 0 where no single interface serves the route. */
export interface Route {
  destination: IpPrefix;
  /** Undefined means directly connected. */
  gateway: IpAddress | undefined;
  index: number;
  /** Number of the routing table; 254 is the main one, 255 that of the host's own addresses. */
  table: number;
}

export const MAIN_TABLE = 254;
export const LOCAL_TABLE = 255;

/**
 * Adds an address; an existing equal one stays. IPv4 gets its broadcast address. IPv6 can be used at once: nobody asks
 * first whether another has it (RFC 4862, duplicate address detection), which takes a second and more.
 */
export function addAddress(index: number, address: IpPrefix): NetlinkRequest {
  const body = addressBody(index, address);
  if (address.family === 6) body.u32(IFA_FLAGS, IFA_F_NODAD);
  else if (address.bits < 31) body.data(IFA_BROADCAST, addressBytes(lastOf(address)));
  const flags = NLM_F_CREATE | NLM_F_REPLACE;
  return { doing: `cannot add the address ${formatAddress(address)}`, type: RTM_NEWADDR, flags, body: body.bytes };
}

export function deleteAddress(index: number, address: IpPrefix): NetlinkRequest {
  const doing = `cannot remove the address ${formatAddress(address)}`;
  return { doing, type: RTM_DELADDR, flags: 0, body: addressBody(index, address).bytes };
}

/** Addresses of one interface, or of all. */
export function listAddresses(netlink: Netlink, family: IpFamily, index = 0): LinkAddress[] {
  const body = new BodyWriter().struct(IFADDRMSG, (view) => {
    view.setUint8(0, AF[family]);
    view.setInt32(4, index, true);
  });
  return netlink
    .dump({ doing: "cannot list addresses", type: RTM_GETADDR, flags: 0, body: body.bytes })
    .flatMap((message) => {
      const view = viewOf(message.body);
      const attributes = parseAttributes(message.body.subarray(IFADDRMSG));
      const address = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
      if (address === undefined) return [];
      return [{ index: view.getInt32(4, true), ...addressFromBytes(address), bits: view.getUint8(1) }];
    });
}

/** The route to everywhere else, by the link alone where there is no gateway. Rejects with kind "conflict" where there is one with the same metric. */
export function addDefaultRoute(family: IpFamily, gateway: IpAddress | undefined, index: number): NetlinkRequest {
  const body = routeBody(family, gateway === undefined ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE).u32(RTA_OIF, index);
  if (gateway !== undefined) body.data(RTA_GATEWAY, addressBytes(gateway));
  const by = gateway === undefined ? `interface ${index}` : formatAddress(gateway);
  const flags = NLM_F_CREATE | NLM_F_EXCL;
  return { doing: `cannot route by ${by}`, type: RTM_NEWROUTE, flags, body: body.bytes };
}

/** Removes the default route of a family, whatever its gateway. */
export function deleteDefaultRoute(family: IpFamily): NetlinkRequest {
  const { bytes } = routeBody(family, RT_SCOPE_NOWHERE);
  return { doing: "cannot remove the default route", type: RTM_DELROUTE, flags: 0, body: bytes };
}

/** Unicast routes of all tables. */
export function listRoutes(netlink: Netlink, family: IpFamily): Route[] {
  const request = {
    doing: "cannot list routes",
    type: RTM_GETROUTE,
    flags: 0,
    body: new BodyWriter().struct(RTMSG, (view) => view.setUint8(0, AF[family])).bytes,
  };
  return netlink.dump(request).flatMap((message) => {
    const view = viewOf(message.body);
    if (view.getUint8(7) !== RTN_UNICAST) return [];
    const attributes = parseAttributes(message.body.subarray(RTMSG));
    const gateway = attributes.get(RTA_GATEWAY);
    const destination = attributes.get(RTA_DST);
    return [
      {
        destination: {
          ...(destination === undefined ? { family, value: 0n } : addressFromBytes(destination)),
          bits: view.getUint8(1),
        },
        gateway: gateway === undefined ? undefined : addressFromBytes(gateway),
        index: attributeNumber(attributes.get(RTA_OIF) ?? NOTHING),
        table: attributeNumber(attributes.get(RTA_TABLE) ?? NOTHING),
      },
    ];
  });
}

/** Says for good which MAC an address has, so that nobody need ask; replaces what was known. */
export function setNeighbour(index: number, address: IpAddress, mac: string): NetlinkRequest {
  const body = neighbourBody(address.family, index, NUD_PERMANENT).data(NDA_DST, addressBytes(address));
  body.data(
    NDA_LLADDR,
    Uint8Array.from(mac.split(":"), (byte) => Number.parseInt(byte, 16)),
  );
  const flags = NLM_F_CREATE | NLM_F_REPLACE;
  return { doing: `cannot set the neighbour ${formatAddress(address)}`, type: RTM_NEWNEIGH, flags, body: body.bytes };
}

export function deleteNeighbour(index: number, address: IpAddress): NetlinkRequest {
  const body = neighbourBody(address.family, index, 0).data(NDA_DST, addressBytes(address));
  return {
    doing: `cannot forget the neighbour ${formatAddress(address)}`,
    type: RTM_DELNEIGH,
    flags: 0,
    body: body.bytes,
  };
}

/** Known neighbours of an interface, MAC by address; those without an answer yet are left out. */
export function listNeighbours(netlink: Netlink, family: IpFamily, index: number): Map<string, string> {
  const body = neighbourBody(family, 0, 0).u32(NDA_IFINDEX, index);
  const found = new Map<string, string>();
  for (const message of netlink.dump({
    doing: "cannot list neighbours",
    type: RTM_GETNEIGH,
    flags: 0,
    body: body.bytes,
  })) {
    const attributes = parseAttributes(message.body.subarray(NDMSG));
    const mac = attributes.get(NDA_LLADDR);
    const address = attributes.get(NDA_DST);
    if (mac === undefined || address === undefined) continue;
    const text = Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join(":");
    found.set(formatAddress(addressFromBytes(address)), text);
  }
  return found;
}

function addressBody(index: number, address: IpPrefix): BodyWriter {
  const bytes = addressBytes(address);
  return new BodyWriter()
    .struct(IFADDRMSG, (view) => {
      view.setUint8(0, AF[address.family]);
      view.setUint8(1, address.bits);
      view.setInt32(4, index, true);
    })
    .data(IFA_LOCAL, bytes)
    .data(IFA_ADDRESS, bytes);
}

/** rtmsg of a default route in the main table. */
function routeBody(family: IpFamily, scope: number): BodyWriter {
  return new BodyWriter().struct(RTMSG, (view) => {
    view.setUint8(0, AF[family]);
    view.setUint8(4, MAIN_TABLE);
    view.setUint8(5, RTPROT_BOOT);
    view.setUint8(6, scope);
    view.setUint8(7, RTN_UNICAST);
  });
}

function neighbourBody(family: IpFamily, index: number, state: number): BodyWriter {
  return new BodyWriter().struct(NDMSG, (view) => {
    view.setUint8(0, AF[family]);
    view.setInt32(4, index, true);
    view.setUint16(8, state, true);
  });
}

const NOTHING = new Uint8Array(0);
const AF = { 4: 2, 6: 10 } as const satisfies Record<IpFamily, number>;
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
const IFA_FLAGS = 8;
const IFA_F_NODAD = 0x02;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_TABLE = 15;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NDA_IFINDEX = 8;

const RTPROT_BOOT = 3;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
/** In a removal: any. */
const RT_SCOPE_NOWHERE = 255;
const RTN_UNICAST = 1;
const NUD_PERMANENT = 0x80;
