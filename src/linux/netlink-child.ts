/** Requests about interfaces that ride on another, macvlan, ipvlan and VLAN, and about dummies (linux/if_link.h). */
import type { BodyWriter, NetlinkRequest } from "./netlink-message.ts";
import {
  createLink,
  IFF_UP,
  IFLA_ADDRESS,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  IFLA_MTU,
  IFLA_NET_NS_FD,
  linkBody,
  macBytes,
} from "./netlink-link.ts";
import type { Netlink } from "./netlink.ts";
import { EOPNOTSUPP, hasErrno, SyscallError } from "./syscall-error.ts";

export type MacvlanMode = "private" | "vepa" | "bridge" | "passthru";
export type IpvlanMode = "l2" | "l3" | "l3s";
export type IpvlanFlag = "bridge" | "private" | "vepa";

export type ChildKind =
  | { readonly kind: "macvlan"; readonly mode: MacvlanMode }
  | { readonly kind: "ipvlan"; readonly mode: IpvlanMode; readonly flag: IpvlanFlag };

export interface Child {
  name: string;
  /** Index of the interface it rides on, in the namespace of the socket. */
  parent: number;
  /** Descriptor of the namespace that it is made in. */
  namespace: number;
  mac?: string;
  mtu?: number;
}

/** A macvlan or ipvlan interface, made right inside another namespace, still down. */
export function createChild(child: Child, how: ChildKind): NetlinkRequest {
  const body = linkBody(0).string(IFLA_IFNAME, child.name).u32(IFLA_LINK, child.parent);
  body.u32(IFLA_NET_NS_FD, child.namespace);
  if (child.mac !== undefined) body.data(IFLA_ADDRESS, macBytes(child.mac));
  if (child.mtu !== undefined) body.u32(IFLA_MTU, child.mtu);
  putKind(body, how.kind, (data) => {
    if (how.kind === "macvlan") data.u32(IFLA_MACVLAN_MODE, MACVLAN_MODES[how.mode]);
    else data.u16(IFLA_IPVLAN_MODE, IPVLAN_MODES[how.mode]).u16(IFLA_IPVLAN_FLAGS, IPVLAN_FLAGS[how.flag]);
  });
  return createLink(`cannot create the ${how.kind} interface ${child.name}`, body);
}

/** A VLAN of `parent`, up. */
export function createVlan(vlan: { name: string; parent: number; id: number }): NetlinkRequest {
  const body = linkBody(0, IFF_UP, IFF_UP).string(IFLA_IFNAME, vlan.name).u32(IFLA_LINK, vlan.parent);
  putKind(body, "vlan", (data) => data.u16(IFLA_VLAN_ID, vlan.id));
  return createLink(`cannot create the VLAN interface ${vlan.name}`, body);
}

/** An interface that leads nowhere, up. */
export function createDummy(name: string): NetlinkRequest {
  const body = linkBody(0, IFF_UP, IFF_UP).string(IFLA_IFNAME, name);
  putKind(body, "dummy", () => {});
  return createLink(`cannot create the dummy interface ${name}`, body);
}

/** Whether the kernel has such interfaces, with a module that it loads for this where there is one. Makes nothing. */
export function hasLinkKind(netlink: Netlink, kind: ChildKind["kind"]): boolean {
  const body = linkBody(0).string(IFLA_IFNAME, "berth-probe");
  putKind(body, kind, () => {});
  try {
    netlink.execute(createLink(`cannot ask for ${kind}`, body));
    return true;
  } catch (error) {
    // A kind that is there wants to know the parent.
    if (error instanceof SyscallError) return !hasErrno(error, EOPNOTSUPP);
    throw error;
  }
}

function putKind(body: BodyWriter, kind: string, fill: (data: BodyWriter) => void): void {
  body.nested(IFLA_LINKINFO, (info) => {
    info.string(IFLA_INFO_KIND, kind).nested(IFLA_INFO_DATA, fill);
  });
}

const IFLA_LINK = 5;
const IFLA_VLAN_ID = 1;
const IFLA_MACVLAN_MODE = 1;
const IFLA_IPVLAN_MODE = 1;
const IFLA_IPVLAN_FLAGS = 2;
const MACVLAN_MODES = { private: 1, vepa: 2, bridge: 4, passthru: 8 } as const;
const IPVLAN_MODES = { l2: 0, l3: 1, l3s: 2 } as const;
const IPVLAN_FLAGS = { bridge: 0, private: 1, vepa: 2 } as const;
