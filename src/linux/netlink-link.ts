/** Requests and answers about network interfaces: bridges, veth pairs, bridge ports (rtnetlink(7), linux/if_link.h). */
import {
  attributeNumber,
  attributeText,
  BodyWriter,
  NLM_F_CREATE,
  NLM_F_EXCL,
  type NetlinkMessage,
  type NetlinkRequest,
  parseAttributes,
  viewOf,
} from "./netlink-message.ts";
import type { Netlink } from "./netlink.ts";
import { ENODEV, hasErrno } from "./syscall-error.ts";

/** An interface by index, or by name where the index is not known. */
export type LinkRef = number | string;

export interface LinkChange {
  up?: boolean;
  /** New name. Needs an index as reference. */
  name?: string;
  /** Six bytes, `02:42:ac:11:00:02`. */
  mac?: string;
  mtu?: number;
  /** A note that the kernel keeps with it. */
  alias?: string;
  /** Index of the bridge to join, 0 to leave it. */
  master?: number;
  /** Descriptor of the namespace to move to. */
  namespace?: number;
}

export interface Link {
  index: number;
  name: string;
  /** "bridge", "veth", …; empty for physical ones. */
  kind: string;
  mac: string;
  mtu: number;
  up: boolean;
  /** Index of the bridge it is a port of, else 0. */
  master: number;
  /** The note that somebody put on it. */
  alias: string;
  /** It rides on an interface of another namespace. */
  foreign: boolean;
}

/** A bridge as containers need it: no spanning tree, so that a new port forwards at once. */
export function createBridge(bridge: {
  name: string;
  mac?: string;
  mtu?: number;
  ageingSeconds?: number;
}): NetlinkRequest {
  const body = linkBody(0).string(IFLA_IFNAME, bridge.name);
  if (bridge.mac !== undefined) body.data(IFLA_ADDRESS, macBytes(bridge.mac));
  if (bridge.mtu !== undefined) body.u32(IFLA_MTU, bridge.mtu);
  body.nested(IFLA_LINKINFO, (info) => {
    info.string(IFLA_INFO_KIND, "bridge").nested(IFLA_INFO_DATA, (data) => {
      data.u32(IFLA_BR_STP_STATE, 0).u32(IFLA_BR_FORWARD_DELAY, 0);
      if (bridge.ageingSeconds !== undefined) data.u32(IFLA_BR_AGEING_TIME, bridge.ageingSeconds * USER_HZ);
    });
  });
  return createLink(`cannot create the bridge ${bridge.name}`, body);
}

/** One end of a veth pair. */
export interface VethEnd {
  name: string;
  mac?: string;
  mtu?: number;
}

/** A veth pair: the host's end up and in its bridge, the peer made right inside another namespace, still down. */
export function createVeth(
  host: VethEnd & { master?: number },
  peer: VethEnd & { namespace?: number },
): NetlinkRequest {
  const body = linkBody(0, IFF_UP, IFF_UP);
  putEnd(body, host);
  if (host.master !== undefined) body.u32(IFLA_MASTER, host.master);
  body.nested(IFLA_LINKINFO, (info) => {
    info.string(IFLA_INFO_KIND, "veth").nested(IFLA_INFO_DATA, (data) => {
      data.nested(VETH_INFO_PEER, (other) => {
        other.struct(IFINFOMSG, () => {});
        putEnd(other, peer);
        if (peer.namespace !== undefined) other.u32(IFLA_NET_NS_FD, peer.namespace);
      });
    });
  });
  return createLink(`cannot create the veth pair ${host.name}`, body);
}

export function changeLink(link: LinkRef, change: LinkChange): NetlinkRequest {
  const { up } = change;
  const body = up === undefined ? linkBody(link) : linkBody(link, up ? IFF_UP : 0, IFF_UP);
  if (change.name !== undefined) body.string(IFLA_IFNAME, change.name);
  if (change.mac !== undefined) body.data(IFLA_ADDRESS, macBytes(change.mac));
  if (change.mtu !== undefined) body.u32(IFLA_MTU, change.mtu);
  if (change.alias !== undefined) body.string(IFLA_IFALIAS, change.alias);
  if (change.master !== undefined) body.u32(IFLA_MASTER, change.master);
  if (change.namespace !== undefined) body.u32(IFLA_NET_NS_FD, change.namespace);
  return { doing: `cannot change the interface ${link}`, type: RTM_NEWLINK, flags: 0, body: body.bytes };
}

/** Options of a bridge port: `hairpin` lets frames out where they came in, `isolated` only talks to the bridge itself. */
export function changePort(index: number, port: { hairpin?: boolean; isolated?: boolean }): NetlinkRequest {
  const body = linkBody(index, 0, 0, AF_BRIDGE).nested(IFLA_PROTINFO, (info) => {
    if (port.hairpin !== undefined) info.u8(IFLA_BRPORT_MODE, Number(port.hairpin));
    if (port.isolated !== undefined) info.u8(IFLA_BRPORT_ISOLATED, Number(port.isolated));
  });
  return { doing: `cannot change the bridge port ${index}`, type: RTM_SETLINK, flags: 0, body: body.bytes };
}

/** Removing a veth removes its peer. Takes 10 ms and more: the kernel waits until nobody uses it. */
export function deleteLink(link: LinkRef): NetlinkRequest {
  return { doing: `cannot remove the interface ${link}`, type: RTM_DELLINK, flags: 0, body: linkBody(link).bytes };
}

/** Undefined where there is none. `namespace` is the number of another namespace to look into (`namespaceNumber`). */
export function findLink(netlink: Netlink, link: LinkRef, namespace?: number): Link | undefined {
  const answer = getLink(netlink, link, namespace);
  return answer === undefined ? undefined : parseLink(answer);
}

/** All interfaces, or the ports of one bridge. */
export function listLinks(netlink: Netlink, options: { master?: number } = {}): Link[] {
  const body = linkBody(0).u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  if (options.master !== undefined) body.u32(IFLA_MASTER, options.master);
  return netlink
    .dump({ doing: "cannot list interfaces", type: RTM_GETLINK, flags: 0, body: body.bytes })
    .map(parseLink);
}

/** Counters since the interface was made, named as in rtnl_link_stats64; received and sent as that interface sees it. */
export function linkCounters(
  netlink: Netlink,
  link: LinkRef,
  namespace?: number,
): Record<(typeof COUNTERS)[number], number> | undefined {
  const answer = getLink(netlink, link, namespace);
  const raw = answer === undefined ? undefined : parseAttributes(answer.body.subarray(IFINFOMSG)).get(IFLA_STATS64);
  if (raw === undefined) return undefined;
  const view = viewOf(raw);
  const read = (name: (typeof COUNTERS)[number]) => Number(view.getBigUint64(8 * COUNTERS.indexOf(name), true));
  return {
    rxPackets: read("rxPackets"),
    txPackets: read("txPackets"),
    rxBytes: read("rxBytes"),
    txBytes: read("txBytes"),
    rxErrors: read("rxErrors"),
    txErrors: read("txErrors"),
    rxDropped: read("rxDropped"),
    txDropped: read("txDropped"),
  };
}

const COUNTERS = [
  "rxPackets",
  "txPackets",
  "rxBytes",
  "txBytes",
  "rxErrors",
  "txErrors",
  "rxDropped",
  "txDropped",
] as const;

function getLink(netlink: Netlink, link: LinkRef, namespace?: number): NetlinkMessage | undefined {
  const body = linkBody(link);
  if (namespace !== undefined) body.u32(IFLA_TARGET_NETNSID, namespace);
  try {
    return netlink.query({
      doing: `cannot find the interface ${link}`,
      type: RTM_GETLINK,
      flags: 0,
      body: body.bytes,
    });
  } catch (error) {
    if (hasErrno(error, ENODEV)) return undefined;
    throw error;
  }
}

function parseLink(message: NetlinkMessage): Link {
  const view = viewOf(message.body);
  const attributes = parseAttributes(message.body.subarray(IFINFOMSG));
  const number = (type: number) => attributeNumber(attributes.get(type) ?? NOTHING);
  const kind = parseAttributes(attributes.get(IFLA_LINKINFO) ?? NOTHING).get(IFLA_INFO_KIND);
  return {
    index: view.getInt32(4, true),
    name: attributeText(attributes.get(IFLA_IFNAME) ?? NOTHING),
    kind: kind === undefined ? "" : attributeText(kind),
    mac: Array.from(attributes.get(IFLA_ADDRESS) ?? NOTHING, (byte) => byte.toString(16).padStart(2, "0")).join(":"),
    mtu: number(IFLA_MTU),
    up: (view.getUint32(8, true) & IFF_UP) !== 0,
    master: number(IFLA_MASTER),
    alias: attributeText(attributes.get(IFLA_IFALIAS) ?? NOTHING),
    foreign: attributes.has(IFLA_LINK_NETNSID),
  };
}

export function createLink(doing: string, body: BodyWriter): NetlinkRequest {
  return { doing, type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, body: body.bytes };
}

function putEnd(body: BodyWriter, end: VethEnd): void {
  body.string(IFLA_IFNAME, end.name);
  if (end.mac !== undefined) body.data(IFLA_ADDRESS, macBytes(end.mac));
  if (end.mtu !== undefined) body.u32(IFLA_MTU, end.mtu);
}

/** ifinfomsg: family, type, index, flags, mask of the flags that count. */
export function linkBody(link: LinkRef, flags = 0, change = 0, family = 0): BodyWriter {
  const body = new BodyWriter().struct(IFINFOMSG, (view) => {
    view.setUint8(0, family);
    view.setInt32(4, typeof link === "number" ? link : 0, true);
    view.setUint32(8, flags, true);
    view.setUint32(12, change, true);
  });
  return typeof link === "number" ? body : body.string(IFLA_IFNAME, link);
}

export function macBytes(mac: string): Uint8Array {
  return Uint8Array.from(mac.split(":"), (byte) => Number.parseInt(byte, 16));
}

const NOTHING = new Uint8Array(0);
const IFINFOMSG = 16;
export const IFF_UP = 1;
const AF_BRIDGE = 7;
/** The unit of bridge times, whatever the kernel ticks at. */
const USER_HZ = 100;

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;
const RTEXT_FILTER_SKIP_STATS = 8;

export const IFLA_ADDRESS = 1;
export const IFLA_IFNAME = 3;
export const IFLA_MTU = 4;
const IFLA_MASTER = 10;
const IFLA_PROTINFO = 12;
export const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_STATS64 = 23;
export const IFLA_NET_NS_FD = 28;
const IFLA_EXT_MASK = 29;
const IFLA_LINK_NETNSID = 37;
const IFLA_TARGET_NETNSID = 46;
export const IFLA_INFO_KIND = 1;
export const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFLA_BR_FORWARD_DELAY = 1;
const IFLA_BR_AGEING_TIME = 4;
const IFLA_BR_STP_STATE = 5;
const IFLA_BRPORT_MODE = 4;
const IFLA_BRPORT_ISOLATED = 33;
