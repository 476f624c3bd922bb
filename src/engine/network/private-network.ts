/** For tests in a network namespace of their own: a host with an address, another machine, a network service. */
import { openDatabase } from "#store/database.ts";
import { Layout } from "#store/layout.ts";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "#lib/log.ts";
import { addressOf, prefixOf } from "#lib/ip.ts";
import { closeFd, openPath } from "#linux/descriptor.ts";
import { Inotify } from "#linux/inotify.ts";
import { NamespaceWorker } from "#linux/namespaces.ts";
import { changeLink, createBridge, createVeth, findLink, type Link } from "#linux/netlink-link.ts";
import { addAddress, addDefaultRoute, deleteAddress } from "#linux/netlink-route.ts";
import { Netlink, NETLINK_ROUTE } from "#linux/netlink.ts";
import { vethName } from "./names.ts";
import { NetworkService } from "./service.ts";
import { networkSchema } from "./store.ts";
import type { NetworkOptions } from "./types.ts";

/** What the private network calls the host's own address. */
export const HOST_ADDRESS = "10.212.0.1";
export const HOST_ADDRESS6 = "fd12::1";
/** Address of another machine on the host's link. */
export const OUTSIDE_ADDRESS = "10.212.0.9";
export const OUTSIDE_ADDRESS6 = "fd12::9";
const HOST_LINK = "host0";

/** Brings loopback up and gives the host an address of its own. */
export function raiseHost(): void {
  using netlink = Netlink.open(NETLINK_ROUTE);
  netlink.execute(changeLink("lo", { up: true }), createBridge({ name: HOST_LINK }));
  const { index } = linkOf(netlink, HOST_LINK);
  const addresses = [`${HOST_ADDRESS}/24`, `${HOST_ADDRESS6}/64`];
  netlink.execute(...addresses.map((text) => addAddress(index, prefixOf(text))), changeLink(index, { up: true }));
}

/** Further addresses of the host, until disposed of. */
export function withHostAddresses(...addresses: readonly string[]): Disposable {
  const change = (request: typeof addAddress): void => {
    using netlink = Netlink.open(NETLINK_ROUTE);
    const { index } = linkOf(netlink, HOST_LINK);
    netlink.execute(...addresses.map((text) => request(index, prefixOf(text))));
  };
  change(addAddress);
  return { [Symbol.dispose]: () => change(deleteAddress) };
}

/** Another machine on the host's link, which sends by the host what it knows no other way to. */
export async function raiseOutside(
  own: readonly string[] = [OUTSIDE_ADDRESS, OUTSIDE_ADDRESS6],
  gateways: readonly string[] = [HOST_ADDRESS, HOST_ADDRESS6],
): Promise<{ path: string } & AsyncDisposable> {
  const folder = mkdtempSync(join(tmpdir(), "berth-outside-"));
  const path = join(folder, "net");
  const namespaces = new NamespaceWorker();
  using inside = new Netlink(await namespaces.createNetworkNamespace(path));
  using netlink = Netlink.open(NETLINK_ROUTE);
  const namespace = openPath(path, 0);
  netlink.execute(
    createVeth({ name: vethName(), master: linkOf(netlink, HOST_LINK).index }, { name: "eth0", namespace }),
  );
  closeFd(namespace);
  const { index } = linkOf(inside, "eth0");
  const addresses = own.map((address) => `${address}/${address.includes(":") ? 64 : 24}`);
  inside.execute(...addresses.map((text) => addAddress(index, prefixOf(text))), changeLink(index, { up: true }));
  for (const gateway of gateways.map(addressOf)) inside.execute(addDefaultRoute(gateway.family, gateway, index));
  return {
    path,
    async [Symbol.asyncDispose]() {
      await namespaces.removeNetworkNamespace(path);
      namespaces.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** The values that `bridge-nf-call-iptables` and `-ip6tables` can have here; "absent" is that of a kernel without br_netfilter. */
export function bridgeFilterModes(): string[] {
  if (!existsSync(`${BRIDGE_FILTER}iptables`) && Bun.which("modprobe") !== null)
    Bun.spawnSync(["modprobe", "br_netfilter"]);
  return existsSync(`${BRIDGE_FILTER}iptables`) ? ["1", "0"] : ["absent"];
}

export function setBridgeFilter(value: string): void {
  if (value === "absent") return;
  for (const name of ["iptables", "ip6tables"]) writeFileSync(`${BRIDGE_FILTER}${name}`, value);
}

const BRIDGE_FILTER = "/proc/sys/net/bridge/bridge-nf-call-";

function linkOf(netlink: Netlink, name: string): Link {
  const link = findLink(netlink, name);
  if (link === undefined) throw new Error(`there is no link ${name}`);
  return link;
}

/** A network service over a throw-away root. */
export class TestNetwork implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), "berth-network-"));
  readonly layout = new Layout(join(this.root, "data"), join(this.root, "exec"));
  readonly db = openDatabase(this.layout.database, [networkSchema]);
  readonly namespaces = new NamespaceWorker();
  readonly changes = new Inotify();
  readonly events: string[] = [];
  readonly options: NetworkOptions;
  service: NetworkService;

  constructor(options: NetworkOptions = {}) {
    this.options = {
      bridge: "test0",
      table: "berth_test",
      pools: [{ base: "10.213.0.0/16", size: 24 }],
      warm: 0,
      ...options,
    };
    this.service = this.#open();
  }

  /** A second daemon over the same root; what the first one left is as after a crash if it was not closed. */
  reopen(): NetworkService {
    this.service = this.#open();
    return this.service;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.service.close();
    this.namespaces.close();
    this.changes[Symbol.dispose]();
    this.db.close();
    rmSync(this.root, { recursive: true });
  }

  #open(): NetworkService {
    const emit = (action: string, _id: string, { name = "" }: Record<string, string>) =>
      this.events.push(`${action} ${name}`);
    const { db, layout, namespaces, changes, options } = this;
    return new NetworkService({ db, layout, namespaces, changes, log: silentLogger, emit, options });
  }
}
