/** Keeps networks and the sandboxes of running containers in the database, with a copy in memory for readers. */
import type { Database } from "bun:sqlite";
import type { Ipam } from "#api/types/network.ts";
import type { Schema } from "#store/database.ts";
import type { HeldSettings } from "./config-networks.ts";
import type { ExtraHost } from "./hosts.ts";
import type { ParentDriver, ParentLink } from "./parent-config.ts";
import type { PublishedPort } from "./ports.ts";
import { networkOfText, sandboxOfText } from "./stored-records.ts";
import type { Sandbox } from "./types.ts";

export const networkSchema: Schema = {
  name: "network",
  versions: [
    `CREATE TABLE networks (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, record TEXT NOT NULL) STRICT;
     CREATE TABLE sandboxes (container_id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT`,
  ],
};

/** Addresses of one family in a network. Addresses and subnets in records are canonical text (`canonicalAddress`). */
export interface SubnetConfig {
  subnet: string;
  /** The containers' way out, which is the bridge's own address; empty where there is none. */
  gateway: string;
  /** Limits the addresses that are handed out. */
  range?: string;
  /** Auxiliary addresses. */
  reserved: string[];
  /** The user chose the subnet, and so may choose addresses. */
  chosen: boolean;
}

/** How packets get out of a bridge network and into it; Docker's names. */
export type GatewayMode = "nat" | "nat-unprotected" | "routed" | "isolated";

export interface BridgeSubnet extends SubnetConfig {
  mode: GatewayMode;
  /** What packets that leave have as source; absent: the address of the interface that they leave by. */
  source?: string;
}

/** What makes a network with addresses work. */
export interface BridgeConfig {
  /** The bridge, or with `parent` the device of the host that the containers' interfaces ride on. */
  device: string;
  /** Only with drivers "macvlan" and "ipvlan". */
  parent?: ParentLink;
  /** At least one of the two is there. */
  ipv4?: BridgeSubnet;
  ipv6?: BridgeSubnet;
  /** Containers may talk to each other. */
  connected: boolean;
  masquerade: boolean;
  /** 0: the kernel's default. */
  mtu: number;
  /** Where ports are published that name no host address; `0.0.0.0` is everywhere, also in IPv6. */
  hostBinding: string;
  /** Interface names inside containers are this and a number. */
  interfacePrefix: string;
  /** The bridge has no IPv4 address: the user has put the gateway elsewhere. */
  withoutAddress?: true;
  /** Interfaces of the host by which published ports are reached on the containers' own addresses. */
  trusted?: string[];
}

export interface NetworkRecord {
  id: string;
  name: string;
  driver: "bridge" | "host" | "null" | ParentDriver;
  /** RFC 3339. */
  created: string;
  ipam: Ipam;
  internal: boolean;
  attachable: boolean;
  options: Record<string, string>;
  labels: Record<string, string>;
  /** Not with drivers "host" and "null". */
  bridge?: BridgeConfig;
  /** The network only holds these. */
  held?: HeldSettings;
  /** Name of the network that its settings are from. */
  configFrom?: string;
}

/** A sandbox and what is needed to rebuild it. */
export interface SandboxRecord extends Sandbox {
  containerName: string;
  published: PublishedPort[];
  /** Endpoint of the default route and of the published ports, of IPv4 and of IPv6. */
  gatewayEndpoint?: string;
  gatewayEndpoint6?: string;
  /** A default route was about to move to its endpoint: what the kernel has of it is not known. */
  unsettled?: true;
  /** GwPriority by endpoint id. */
  priorities: Record<string, number>;
  /** For endpoints that are connected later. */
  hostname: string;
  domainname: string;
  extraHosts: ExtraHost[];
  /** How the DNS server at 127.0.0.11 treats the container; absent where it asks others itself. */
  dns?: SandboxDns;
}

export interface SandboxDns {
  /** Asked for what is no name of ours; absent: those of the host. */
  servers?: string[];
  /** The user chose `ndots`. */
  ndots: boolean;
}

/** Writes go to the database at once; reads cost nothing. Records are values: replace them, never change them. */
export class NetworkStore {
  readonly networks = new Map<string, NetworkRecord>();
  readonly sandboxes = new Map<string, SandboxRecord>();
  /** Hears of every sandbox that is written or removed, once it is. */
  onSandbox: (id: string, sandbox: SandboxRecord | undefined) => void = () => {};
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
    for (const { record } of db.query<{ record: string }, []>("SELECT record FROM networks").all()) {
      const network = networkOfText(record);
      this.networks.set(network.id, network);
    }
    for (const { record } of db.query<{ record: string }, []>("SELECT record FROM sandboxes").all()) {
      const sandbox = sandboxOfText(record);
      this.sandboxes.set(sandbox.containerId, sandbox);
    }
  }

  putNetwork(network: NetworkRecord): void {
    this.#db
      .query("INSERT OR REPLACE INTO networks (id, name, record) VALUES (?, ?, ?)")
      .run(network.id, network.name, JSON.stringify(network));
    this.networks.set(network.id, network);
  }

  removeNetwork(id: string): void {
    this.#db.query("DELETE FROM networks WHERE id = ?").run(id);
    this.networks.delete(id);
  }

  /** `also` writes down what must change with it: both or neither. */
  putSandbox(sandbox: SandboxRecord, also: () => void = () => {}): void {
    this.#db.transaction(() => {
      this.#db
        .query("INSERT OR REPLACE INTO sandboxes (container_id, record) VALUES (?, ?)")
        .run(sandbox.containerId, JSON.stringify(sandbox));
      also();
    })();
    this.sandboxes.set(sandbox.containerId, sandbox);
    this.onSandbox(sandbox.containerId, sandbox);
  }

  /** Never fails: a row that a full disk holds back goes with the next start, since its container does not run then. */
  removeSandbox(containerId: string): void {
    this.sandboxes.delete(containerId);
    this.onSandbox(containerId, undefined);
    try {
      this.#db.query("DELETE FROM sandboxes WHERE container_id = ?").run(containerId);
    } catch {
      // What makes the database refuse is told by the writes that matter.
    }
  }

  /** Running containers with an endpoint in the network. */
  attached(networkId: string): SandboxRecord[] {
    return [...this.sandboxes.values()].filter(({ endpoints }) => endpoints.some((one) => one.networkId === networkId));
  }

  /** By name, id or unambiguous prefix of an id, in this order. */
  find(ref: string): NetworkRecord | undefined {
    const all = [...this.networks.values()];
    const exact = all.find(({ name }) => name === ref) ?? this.networks.get(ref);
    if (exact !== undefined || ref === "") return exact;
    const prefixed = all.filter(({ id }) => id.startsWith(ref));
    return prefixed.length === 1 ? prefixed[0] : undefined;
  }
}
