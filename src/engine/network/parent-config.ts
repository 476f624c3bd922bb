/** Reads the options of macvlan and ipvlan networks, and says which of them may share a parent. */
import { EngineError } from "#lib/errors.ts";
import type { ChildKind, IpvlanFlag, IpvlanMode, MacvlanMode } from "#linux/netlink-child.ts";
import { isDeviceName } from "./names.ts";
import type { BridgeConfig, NetworkRecord } from "./store.ts";
import type { Endpoint } from "./types.ts";

/** How the interfaces of a macvlan or ipvlan network ride on a device of the host. */
export interface ParentLink {
  child: ChildKind;
  /** The device is ours: it comes and goes with the networks that use it. */
  made?: "vlan" | "dummy";
}

export type ParentDriver = ChildKind["kind"];

/** Docker's names of these options have no prefix. */
const PARENT = "parent";
const MODE = { macvlan: "macvlan_mode", ipvlan: "ipvlan_mode" } as const;
const FLAG = "ipvlan_flag";

export function isParentDriver(driver: string): driver is ParentDriver {
  return driver === "macvlan" || driver === "ipvlan";
}

/** The device is "" where none is named. Throws kind "invalid" in Docker's words. */
export function parentOptions(
  driver: ParentDriver,
  options: Readonly<Record<string, string>>,
): { device: string; child: ChildKind } {
  const device = options[PARENT] ?? "";
  if (device === "lo") {
    throw new EngineError("invalid", `loopback interface is not a valid ${driver} parent link`);
  }
  if (device !== "" && !isDeviceName(device)) throw new EngineError("invalid", `invalid parent interface "${device}"`);
  return { device, child: childKind(driver, options) };
}

function childKind(driver: ParentDriver, options: Readonly<Record<string, string>>): ChildKind {
  const asked = options[MODE[driver]] ?? "";
  if (driver === "macvlan") {
    const mode = MACVLAN_MODES.find((one) => one === (asked || "bridge"));
    if (mode !== undefined) return { kind: driver, mode };
    const why = `requested macvlan mode '${asked}' is not valid, 'bridge' mode is the macvlan driver default`;
    throw new EngineError("invalid", why);
  }
  const mode = IPVLAN_MODES.find((one) => one === (asked || "l2"));
  if (mode === undefined) {
    const why = `requested ipvlan mode '${asked}' is not valid, 'l2' mode is the ipvlan driver default`;
    throw new EngineError("invalid", why);
  }
  const flag = IPVLAN_FLAGS.find((one) => one === (options[FLAG] || "bridge"));
  if (flag !== undefined) return { kind: driver, mode, flag };
  const why = `requested ipvlan flag '${options[FLAG]}' is not valid, 'bridge' is the ipvlan driver default`;
  throw new EngineError("invalid", why);
}

/** Device that carries a network without a parent, as Docker names it. */
export function dummyDevice(driver: ParentDriver, networkId: string): string {
  return `${driver === "macvlan" ? "dm" : "di"}-${networkId.slice(0, 12)}`;
}

/** `eth0.50` is VLAN 50 of eth0. Throws kind "invalid" in Docker's words where the name is none of this form. */
export function vlanOf(device: string): { base: string; id: number } {
  const [base = "", number, ...more] = device.split(".");
  if (number === undefined) {
    throw new EngineError("invalid", `invalid subinterface vlan name ${device}, example formatting is eth0.10`);
  }
  if (base === "" || more.length > 0) {
    const form = "required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10";
    throw new EngineError("invalid", `${form}, instead received ${device}`);
  }
  if (!/^\d+$/.test(number)) {
    throw new EngineError("invalid", `unable to parse a valid vlan id from: ${number} (ex. eth0.10 for vlan 10)`);
  }
  const id = Number(number);
  if (id < 1 || id > 4094) throw new EngineError("invalid", `vlan id must be between 1-4094, received: ${id}`);
  return { base, id };
}

/** Throws kind "conflict" in Docker's words where `others` leave no place on the device for a network of this kind. */
export function assertShares(device: string, child: ChildKind, others: readonly NetworkRecord[]): void {
  for (const { id, bridge } of others) {
    const other = bridge?.parent?.child;
    // One parent may have networks of both kinds, of which only one has interfaces at a time: the kernel sees to that.
    if (other?.kind !== child.kind || bridge?.device !== device) continue;
    if (child.kind === "ipvlan") {
      const name = dummyDevice("ipvlan", id);
      throw new EngineError("conflict", `network ${name} is already using parent interface ${device}`);
    }
    const using = `macvlan network ${id} is already using parent interface ${device}`;
    if (child.mode === "passthru") throw new EngineError("conflict", `cannot use mode passthru, ${using}`);
    if (other.mode === "passthru") {
      throw new EngineError("conflict", `${using} in mode passthru`);
    }
  }
}

/** In these networks packets for elsewhere go out of the interface as they are: the host is their router. */
export function routesByLink(child: ChildKind | undefined): boolean {
  return child?.kind === "ipvlan" && child.mode !== "l2";
}

/** How an endpoint reaches everywhere else; a network without a parent of the user's leads nowhere. */
export function wayOut(
  internal: boolean,
  { ipv4, ipv6, parent }: BridgeConfig,
): Pick<Endpoint, "gateway" | "ipv6Gateway" | "routesByLink"> {
  const nowhere = { gateway: "", ipv6Gateway: "" };
  if (internal || parent?.made === "dummy") return nowhere;
  if (routesByLink(parent?.child)) return { ...nowhere, routesByLink: true };
  return { gateway: ipv4?.gateway ?? "", ipv6Gateway: ipv6?.gateway ?? "" };
}

/** Whether a gateway is kept for a network that names none. */
export function needsGateway(internal: boolean, { parent }: Pick<BridgeConfig, "parent">): boolean {
  return parent === undefined || (!internal && parent.made !== "dummy" && !routesByLink(parent.child));
}

/** No port is published through macvlan and ipvlan: outsiders reach the container by its address. */
export function leadsPorts({ hostInterface }: Endpoint): boolean {
  return hostInterface !== "";
}

/** Whether containers of the network have MAC addresses of their own from the start: others have their parent's. */
export function hasOwnMac({ parent }: BridgeConfig): boolean {
  return parent === undefined || (parent.child.kind === "macvlan" && parent.child.mode !== "passthru");
}

export function isPassthru(child: ChildKind | undefined): boolean {
  return child?.kind === "macvlan" && child.mode === "passthru";
}

const MACVLAN_MODES: readonly MacvlanMode[] = ["bridge", "private", "vepa", "passthru"];
const IPVLAN_MODES: readonly IpvlanMode[] = ["l2", "l3", "l3s"];
const IPVLAN_FLAGS: readonly IpvlanFlag[] = ["bridge", "private", "vepa"];
