/** Makes what a sandbox consists of in the kernel: a namespace, and a veth pair per network. */
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { IpAddress, IpFamily, IpPrefix } from "#lib/ip.ts";
import { closeFd, openPath } from "#linux/descriptor.ts";
import type { NamespaceWorker } from "#linux/namespaces.ts";
import { changeLink, changePort, createVeth, deleteLink, findLink } from "#linux/netlink-link.ts";
import { addAddress, addDefaultRoute, deleteDefaultRoute } from "#linux/netlink-route.ts";
import { Netlink } from "#linux/netlink.ts";
import { EAFNOSUPPORT, ENODEV, EOPNOTSUPP, ESRCH, hasErrno, SyscallError } from "#linux/syscall-error.ts";
import type { Layout } from "#store/layout.ts";
import { randomId } from "./names.ts";

/** A namespace and a socket inside it. Whoever holds it closes the socket, which else keeps the namespace alive. */
export interface SandboxNamespace {
  sandboxId: string;
  path: string;
  socket: Netlink;
}

export interface VethPlan {
  /** Index of the bridge. */
  bridge: number;
  hostInterface: string;
  /** Name inside. */
  interface: string;
  addresses: readonly IpPrefix[];
  mac: string;
  /** 0: the kernel's default. */
  mtu: number;
  /** Cut off from the other ports of the bridge. */
  isolated: boolean;
}

/** A way out. */
export interface Way {
  /** Undefined: packets leave by the interface as they are. */
  gateway: IpAddress | undefined;
  interface: string;
}

const IPV6 = "/proc/sys/net/ipv6/conf";
const ARP_NOTIFY = "/proc/sys/net/ipv4/conf/default/arp_notify";

export class SandboxLinks {
  readonly #netlink: Netlink;
  readonly #namespaces: NamespaceWorker;
  readonly #layout: Layout;
  /**
   * For interfaces made later: they get no IPv6 before their network has it (::1 on loopback stays, as in Docker), and
   * announce their MAC address when they come up, to neighbours that knew the address by another.
   */
  readonly #sysctls = {
    [ARP_NOTIFY]: "1",
    ...(existsSync(IPV6) ? { [`${IPV6}/default/disable_ipv6`]: "1", [`${IPV6}/default/ndisc_notify`]: "1" } : {}),
  };

  /** `netlink` is a route socket of the host's namespace. */
  constructor(netlink: Netlink, namespaces: NamespaceWorker, layout: Layout) {
    this.#netlink = netlink;
    this.#namespaces = namespaces;
    this.#layout = layout;
  }

  /** A fresh namespace with loopback up: `existing`, to which nothing was done yet, or a new one. */
  async createNamespace(existing?: string): Promise<SandboxNamespace> {
    const sandboxId = randomId();
    const path = this.#layout.networkNamespace(sandboxId.slice(0, 12));
    const created = this.#namespaces.createNetworkNamespace(path, existing);
    // The thread answers in order, so this needs no wait for the namespace.
    const configured = this.#namespaces.writeFilesIn(path, this.#sysctls);
    const [socket, settled] = await Promise.allSettled([created, configured]);
    if (socket.status === "rejected") throw socket.reason;
    const namespace = { sandboxId, path, socket: new Netlink(socket.value) };
    try {
      if (settled.status === "rejected") throw settled.reason;
      namespace.socket.execute(changeLink("lo", { up: true }));
      return namespace;
    } catch (error) {
      namespace.socket.close();
      await this.removeNamespace(path);
      throw error;
    }
  }

  /** A socket in an existing namespace; the caller closes it. */
  async enter(path: string): Promise<Netlink> {
    return new Netlink(await this.#namespaces.netlinkSocketIn(path));
  }

  /** Adds an interface, up and with its address. What is half-made goes with the namespace or by `detach`. */
  async attach(path: string, socket: Netlink, plan: VethPlan, prepare: () => Promise<void>): Promise<void> {
    const mtu = plan.mtu === 0 ? {} : { mtu: plan.mtu };
    const namespace = openPath(path, 0);
    try {
      const host = { name: plan.hostInterface, master: plan.bridge, ...mtu };
      this.#netlink.execute(createVeth(host, { name: plan.interface, mac: plan.mac, namespace, ...mtu }));
    } finally {
      closeFd(namespace);
    }
    if (plan.isolated) this.#changePort(plan.hostInterface, { isolated: true });
    await prepare();
    const index = indexOf(socket, plan.interface);
    socket.execute(...plan.addresses.map((address) => addAddress(index, address)), changeLink(index, { up: true }));
  }

  /**
   * Turns IPv6 on for an interface. Its address on the link can be used at once; with `alone` no neighbour gives it a
   * route or an address by router advertisements.
   */
  async enableIpv6(path: string, interfaceName: string, alone: boolean): Promise<void> {
    const folder = `${IPV6}/${interfaceName}`;
    const quick = { [`${folder}/accept_dad`]: "0", [`${folder}/disable_ipv6`]: "0" };
    await this.#namespaces.writeFilesIn(path, alone ? { [`${folder}/accept_ra`]: "0", ...quick } : quick);
  }

  /** Writes sysctl files as they are inside the namespace. */
  async writeSysctls(path: string, files: Readonly<Record<string, string>>): Promise<void> {
    await this.#namespaces.writeFilesIn(path, files);
  }

  /** With br_netfilter a redirected packet may leave by the port it came in, which a bridge forbids by default. */
  allowHairpin(hostInterface: string): void {
    this.#changePort(hostInterface, { hairpin: true });
  }

  /** Makes `to` the way to everywhere else in its family; undefined leaves no way. */
  route(socket: Netlink, family: IpFamily, to: Way | undefined, hadRoute: boolean): void {
    if (hadRoute) {
      try {
        socket.execute(deleteDefaultRoute(family));
      } catch (error) {
        // There was none, or the kernel has no such family.
        if (!hasErrno(error, ESRCH, EOPNOTSUPP, EAFNOSUPPORT)) throw error;
      }
    }
    if (to !== undefined) socket.execute(addDefaultRoute(family, to.gateway, indexOf(socket, to.interface)));
  }

  /** Sets another MAC address before anybody has learnt the first. */
  setMac(socket: Netlink, interfaceName: string, mac: string): void {
    socket.execute(changeLink(interfaceName, { mac }));
  }

  /** Puts a surviving pair back into its bridge, with the port's options; false where it is gone. */
  reattach(hostInterface: string, bridge: number, port: { hairpin: boolean; isolated: boolean }): boolean {
    const link = findLink(this.#netlink, hostInterface);
    if (link === undefined) return false;
    if (link.master !== bridge || !link.up) this.#netlink.execute(changeLink(link.index, { master: bridge, up: true }));
    this.#netlink.execute(changePort(link.index, port));
    return true;
  }

  exists(hostInterface: string): boolean {
    return findLink(this.#netlink, hostInterface) !== undefined;
  }

  /** Removes a pair at once, which takes 10 ms and more; a dying namespace does the same without anyone waiting. */
  detach(hostInterface: string): void {
    try {
      this.#netlink.execute(deleteLink(hostInterface));
    } catch (error) {
      if (!hasErrno(error, ENODEV)) throw error;
    }
  }

  /** The kernel removes namespace and interfaces once no process is left in it. Idempotent. */
  async removeNamespace(path: string): Promise<void> {
    await this.#namespaces.removeNetworkNamespace(path);
  }

  /** Paths of all namespaces of the exec root. */
  namespaces(): string[] {
    const folder = this.#layout.networkNamespaces;
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    return readdirSync(folder).map((name) => join(folder, name));
  }

  /** Removes all namespaces of the exec root but these. Answers how many. */
  async removeNamespacesExcept(paths: ReadonlySet<string>): Promise<number> {
    const stale = this.namespaces().filter((path) => !paths.has(path));
    await Promise.all(stale.map((path) => this.removeNamespace(path)));
    return stale.length;
  }

  #changePort(hostInterface: string, port: { hairpin?: boolean; isolated?: boolean }): void {
    this.#netlink.execute(changePort(indexOf(this.#netlink, hostInterface), port));
  }
}

function indexOf(netlink: Netlink, name: string): number {
  const link = findLink(netlink, name);
  if (link !== undefined) return link.index;
  throw new SyscallError({ doing: `cannot find the interface ${name}`, call: "netlink", args: "", errno: ENODEV });
}
