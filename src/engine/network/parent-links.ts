/** Makes macvlan and ipvlan interfaces in containers' namespaces, and the devices that they ride on where those are ours. */
import { EngineError } from "#lib/errors.ts";
import type { IpPrefix } from "#lib/ip.ts";
import { closeFd, openPath } from "#linux/descriptor.ts";
import { type ChildKind, createChild, createDummy, createVlan, hasLinkKind } from "#linux/netlink-child.ts";
import { changeLink, deleteLink, findLink, type Link, linkCounters, listLinks } from "#linux/netlink-link.ts";
import type { NetlinkRequest } from "#linux/netlink-message.ts";
import { namespaceNumber } from "#linux/netlink-namespace.ts";
import { addAddress } from "#linux/netlink-route.ts";
import type { Netlink } from "#linux/netlink.ts";
import { EBUSY, EINVAL, ENODEV, EOPNOTSUPP, hasErrno, SyscallError } from "#linux/syscall-error.ts";
import { isParentDriver, isPassthru, type ParentLink, vlanOf } from "./parent-config.ts";
import type { InterfaceCounters } from "./types.ts";

export interface ParentDevice {
  device: string;
  parent: ParentLink;
}

export interface ChildPlan {
  device: string;
  child: ChildKind;
  /** Name inside. */
  interface: string;
  addresses: readonly IpPrefix[];
  /** Empty: the parent's. */
  mac: string;
  /** 0: the parent's. */
  mtu: number;
}

/** By this note a device or an interface is known to be ours: what the user made is never removed. */
const NOTE = "made by berth";

export class ParentLinks {
  readonly #netlink: Netlink;

  /** `netlink` is a route socket of the host's namespace. */
  constructor(netlink: Netlink) {
    this.#netlink = netlink;
  }

  exists(device: string): boolean {
    return findLink(this.#netlink, device) !== undefined;
  }

  /** Throws kind "unavailable" where the kernel has no such interfaces. */
  assertSupported({ kind }: ChildKind): void {
    if (!hasLinkKind(this.#netlink, kind)) throw lacks(kind);
  }

  /** Brings up a device that is ours, making it where it is not there. Throws for one of the user's that is not there. */
  ensure({ device, parent }: ParentDevice): void {
    const link = findLink(this.#netlink, device);
    if (link === undefined) this.#make(device, parent.made);
    else if (isOurs(link, parent) && !link.up) this.#netlink.execute(changeLink(link.index, { up: true }));
  }

  /** Removes a device that is ours. Idempotent. */
  remove({ device, parent }: ParentDevice): void {
    const link = findLink(this.#netlink, device);
    if (link !== undefined && isOurs(link, parent)) removeLink(this.#netlink, link.index);
  }

  /**
   * Adds an interface, up and with its addresses; answers its MAC, which is "" where that is the parent's (ipvlan).
   * With an error nothing is left. `prepare` is called before the interface gets its addresses.
   */
  async attach(path: string, socket: Netlink, plan: ChildPlan, prepare: () => Promise<void>): Promise<string> {
    const { device, child, mac } = plan;
    const parent = findLink(this.#netlink, device);
    if (parent === undefined) throw absent(device);
    this.#create(path, parent.index, plan);
    try {
      const made = findLink(socket, plan.interface);
      if (made === undefined) throw new EngineError("internal", `the interface ${plan.interface} vanished`);
      // A passthru interface starts with its parent's address, whatever was asked for.
      if (isPassthru(child) && mac !== "") socket.execute(changeLink(made.index, { mac }));
      socket.execute(changeLink(made.index, { alias: NOTE }));
      await prepare();
      const addresses = plan.addresses.map((address) => addAddress(made.index, address));
      socket.execute(...addresses, changeLink(made.index, { up: true }));
      return child.kind === "ipvlan" ? "" : mac || made.mac;
    } catch (error) {
      this.detach(socket, plan.interface);
      throw error;
    }
  }

  /** Removes an interface inside a namespace, which takes 10 ms and more. Idempotent. */
  detach(socket: Netlink, interfaceName: string): void {
    removeLink(socket, interfaceName);
  }

  /**
   * Removes the interfaces in a namespace that a daemon made, or began to, and that nobody knows of; those that somebody
   * else put there stay.
   */
  removeStrays(socket: Netlink, known: ReadonlySet<string>): void {
    for (const { index, name, kind, foreign, alias, up } of listLinks(socket)) {
      const halfMade = alias === "" && !up;
      if (isParentDriver(kind) && foreign && !known.has(name) && (alias === NOTE || halfMade))
        removeLink(socket, index);
    }
  }

  /** Counters of an interface inside a namespace; undefined where either is gone. */
  counters(path: string, interfaceName: string): InterfaceCounters | undefined {
    try {
      return linkCounters(this.#netlink, interfaceName, namespaceNumber(this.#netlink, path));
    } catch (error) {
      if (error instanceof SyscallError) return undefined;
      throw error;
    }
  }

  #create(path: string, parent: number, { interface: name, device, child, mac, mtu }: ChildPlan): void {
    const namespace = openPath(path, 0);
    try {
      const own = { name, parent, namespace, ...(mac !== "" && { mac }), ...(mtu !== 0 && { mtu }) };
      this.#netlink.execute(createChild(own, child));
    } catch (error) {
      throw refused(error, child, device);
    } finally {
      closeFd(namespace);
    }
  }

  #make(device: string, made: ParentLink["made"]): void {
    if (made === undefined) throw absent(device);
    try {
      // One call does both, so that a daemon that is killed leaves no device without its note.
      const request = made === "dummy" ? createDummy(device) : this.#vlan(device);
      this.#netlink.execute(request, changeLink(device, { alias: NOTE }));
    } catch (error) {
      throw hasErrno(error, EOPNOTSUPP) ? lacks(made === "vlan" ? "8021q" : made, error) : error;
    }
  }

  #vlan(device: string): NetlinkRequest {
    const { base, id } = vlanOf(device);
    const parent = findLink(this.#netlink, base);
    if (parent !== undefined) return createVlan({ name: device, parent: parent.index, id });
    throw new EngineError("invalid", `-o parent interface was not found on the host: ${base}`);
  }
}

function isOurs(link: Link, { made }: ParentLink): boolean {
  return made !== undefined && link.kind === made && link.alias === NOTE;
}

function absent(device: string): EngineError {
  return new EngineError("unavailable", `the requested parent interface ${device} was not found on the Docker host`);
}

function lacks(module: string, cause?: unknown): EngineError {
  const options = `CONFIG_${module === "8021q" ? "VLAN_8021Q" : module.toUpperCase()}`;
  const message = `this kernel cannot make such interfaces: it has no module ${module} (${options})`;
  return new EngineError("unavailable", message, { cause });
}

/** Docker's words, with what the kernel means by its number. */
function refused(error: unknown, child: ChildKind, device: string): unknown {
  if (hasErrno(error, EOPNOTSUPP)) return lacks(child.kind, error);
  if (!hasErrno(error, EBUSY, EINVAL)) return error;
  const why = isPassthru(child)
    ? `device or resource busy: ${device} carries one interface in mode passthru and has one already`
    : `device or resource busy: ${device} carries interfaces of another kind or mode`;
  return new EngineError("conflict", `failed to create the ${child.kind} port: ${why}`, { cause: error });
}

function removeLink(netlink: Netlink, link: number | string): void {
  try {
    netlink.execute(deleteLink(link));
  } catch (error) {
    if (!hasErrno(error, ENODEV)) throw error;
  }
}
