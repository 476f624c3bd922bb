/** Owns the daemon's one nftables table: a published port is an element of a map, never a rule. */
import type { IpFamily } from "#lib/ip.ts";
import { MOST_ELEMENTS } from "#linux/netlink-elements.ts";
import { NftablesError } from "#linux/nftables.ts";
import { SyscallError } from "#linux/syscall-error.ts";
import { subnetOf } from "./families.ts";
import {
  type Element,
  type FirewallNetwork,
  networkElements,
  portElements,
  type PortTarget,
  tableText,
} from "./firewall-table.ts";
import type { HostPort } from "./port-claims.ts";
import type { RuleWatch } from "./rule-watch.ts";

/**
 * Keeps the table equal to the networks and ports it was told of, and makes it anew where someone removed it
 * (`nft flush ruleset`). All hooks run at the usual priorities and drop only what concerns our bridges: an accept
 * here never overrules the host's own chains.
 */
export class Firewall {
  readonly table: string;
  readonly #nft: RuleWatch;
  readonly #networks = new Map<string, FirewallNetwork>();
  readonly #ports = new Map<string, PortTarget>();

  constructor(nft: RuleWatch, table: string) {
    this.#nft = nft;
    this.table = table;
  }

  /** Our bridges. */
  get networks(): FirewallNetwork[] {
    return [...this.#networks.values()];
  }

  /** Devices of those that have a family. */
  devices(family: IpFamily): string[] {
    return this.networks.filter((network) => subnetOf(network, family) !== undefined).map(({ device }) => device);
  }

  addNetwork(network: FirewallNetwork): void {
    this.#networks.set(network.device, network);
    this.#update("add", networkElements(network));
  }

  removeNetwork(device: string): void {
    const network = this.#networks.get(device);
    if (network === undefined) return;
    this.#networks.delete(device);
    this.#update("delete", networkElements(network));
  }

  /** All or none. */
  publish(ports: readonly PortTarget[]): void {
    for (const port of ports) this.#ports.set(portKey(port), port);
    try {
      this.#update("add", ports.flatMap(portElements));
    } catch (error) {
      for (const port of ports) this.#ports.delete(portKey(port));
      throw error;
    }
  }

  /** Ports that are not published are passed over; wherever they lead, they do no more. */
  unpublish(ports: readonly PortKey[]): void {
    const known = ports.map((port) => this.#ports.get(portKey(port))).filter((port) => port !== undefined);
    for (const port of known) this.#ports.delete(portKey(port));
    this.#update("delete", this.#unshared(known.flatMap(portElements)));
  }

  /** Forgets everything and starts from these, in one transaction. */
  reset(networks: readonly FirewallNetwork[], ports: readonly PortTarget[]): void {
    this.#networks.clear();
    this.#ports.clear();
    for (const network of networks) this.#networks.set(network.device, network);
    for (const port of ports) this.#ports.set(portKey(port), port);
    this.#rebuild();
  }

  /** Makes the table anew where it is gone; true if it was. */
  repair(): boolean {
    if (this.#nft.list(`chain inet ${this.table} publish`) !== undefined) return false;
    this.#rebuild();
    return true;
  }

  /** Removes the table. */
  remove(): void {
    this.#nft.run("cannot remove the nftables table", this.#removing().join("\n"));
  }

  #update(change: "add" | "delete", elements: readonly Element[]): void {
    if (elements.length === 0) return;
    const doing = "cannot change published ports or networks";
    const raw = elements.flatMap((element) => element.raw ?? []);
    try {
      if (raw.length === elements.length && raw.length <= MOST_ELEMENTS) {
        this.#nft.change(doing, this.table, change, raw);
      } else {
        const commands = change === "add" ? this.#adding(elements) : this.#deleting(elements);
        this.#nft.run(doing, commands.join("\n"));
      }
    } catch (error) {
      const refused = error instanceof NftablesError || error instanceof SyscallError;
      if (!refused || !this.repair()) throw error;
    }
  }

  #rebuild(): void {
    const elements = [
      ...[...this.#networks.values()].flatMap(networkElements),
      ...[...this.#ports.values()].flatMap(portElements),
    ];
    const script = [...this.#removing(), tableText(this.table), ...this.#adding(elements)];
    this.#nft.run("cannot make the nftables table", script.join("\n"));
  }

  /** Older daemons had a table of the family ip. */
  #removing(): string[] {
    return ["ip", "inet"].flatMap((family) => [
      `add table ${family} ${this.table}`,
      `delete table ${family} ${this.table}`,
    ]);
  }

  #adding(elements: readonly Element[]): string[] {
    return elements.map(
      ({ set, key, value }) =>
        `add element inet ${this.table} ${set} { ${value === undefined ? key : `${key} : ${value}`} }`,
    );
  }

  #deleting(elements: readonly Element[]): string[] {
    return elements.map(({ set, key }) => `delete element inet ${this.table} ${set} { ${key} }`);
  }

  /** What no other port needs: a container's port can be published twice, and then is opened by both. */
  #unshared(elements: readonly Element[]): Element[] {
    const name = ({ set, key }: Element): string => `${set} ${key}`;
    const single = [...new Map(elements.map((element) => [name(element), element])).values()];
    if (single.every(({ value }) => value !== undefined)) return single;
    const needed = new Set([...this.#ports.values()].flatMap(portElements).map(name));
    return single.filter((element) => !needed.has(name(element)));
  }
}

/** What names a port: its host side, or its container's where it has none. */
type PortKey = HostPort & Partial<Pick<PortTarget, "containerAddress" | "containerPort">>;

function portKey({ protocol, hostAddress, hostPort, containerAddress, containerPort }: PortKey): string {
  return hostPort === 0
    ? `${protocol} to ${containerAddress} ${containerPort}`
    : `${protocol} ${hostAddress} ${hostPort}`;
}
