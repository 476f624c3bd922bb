/** The names of containers, as each container sees them: those of the networks that it is in. */
import { type AnswerRecord, encodeName, nameKey, TYPE_A, TYPE_AAAA, TYPE_ANY, TYPE_PTR } from "./message.ts";
import type { NamedEndpoint, NamedSandbox } from "./protocol.ts";

/** What a name stands for. A new object at each change, so that `turn` belongs to these records. */
interface Entry {
  readonly records: AnswerRecord[];
  /** Number of the record that the next answer begins with. */
  turn: number;
}

export interface Found {
  readonly records: readonly AnswerRecord[];
  readonly first: number;
}

interface Holder {
  readonly endpoint: NamedEndpoint;
}

interface Network {
  readonly holders: Map<string, Set<Holder>>;
  /** By name and type, made when asked for. */
  readonly entries: Map<string, Entry>;
  /** Names in wire form by the name of the reverse zone. */
  readonly reverse: Map<string, Uint8Array>;
}

/** Kept by the thread that answers. A name is known where an endpoint has it, whatever addresses that has. */
export class NameTables {
  readonly #networks = new Map<string, Network>();
  readonly #sandboxes = new Map<string, { sandbox: NamedSandbox; holders: Holder[] }>();

  /** Takes the place of what the sandbox was before. */
  put(sandbox: NamedSandbox): void {
    this.remove(sandbox.id);
    const holders = sandbox.endpoints.map((endpoint) => ({ endpoint }));
    this.#sandboxes.set(sandbox.id, { sandbox, holders });
    for (const holder of holders) this.#add(holder);
  }

  sandbox(id: string): NamedSandbox | undefined {
    return this.#sandboxes.get(id)?.sandbox;
  }

  remove(id: string): void {
    for (const holder of this.#sandboxes.get(id)?.holders ?? []) this.#drop(holder);
    this.#sandboxes.delete(id);
  }

  /**
   * What a container gets for a name (a `Query.name`) and a type: undefined where nobody in its networks has the name.
   * `name.network` is tried too, with the dots parted in every way, as either may hold some. A link counts before a
   * name, and for the container that has the link only.
   */
  resolve(id: string, name: string, type: number): Found | undefined {
    const own = this.#sandboxes.get(id);
    if (own === undefined || name === "") return undefined;
    if (type === TYPE_PTR) return this.#reverse(own.sandbox, name);
    let known = this.#resolveIn(own.sandbox, name, undefined, type);
    for (let dot = name.lastIndexOf("."); dot > 0 && !known?.records.length; dot = name.lastIndexOf(".", dot - 1)) {
      known = this.#resolveIn(own.sandbox, name.slice(0, dot), name.slice(dot + 1), type) ?? known;
    }
    return known;
  }

  /** In all networks of the sandbox, or in the one that is so called. */
  #resolveIn({ endpoints }: NamedSandbox, name: string, network: string | undefined, type: number): Found | undefined {
    const asked = endpoints.filter((endpoint) => network === undefined || nameKey(endpoint.networkName) === network);
    let known: Found | undefined;
    for (const { network: id, links } of asked) {
      const target = links?.[name];
      if (target === undefined) continue;
      known = this.#lookUp(id, nameKey(target), type) ?? known;
      if (known !== undefined && known.records.length > 0) return known;
    }
    for (const { network: id, links } of asked) {
      if (links?.[name] !== undefined) continue;
      known = this.#lookUp(id, name, type) ?? known;
      if (known !== undefined && known.records.length > 0) return known;
    }
    return known;
  }

  #lookUp(id: string, name: string, type: number): Found | undefined {
    const network = this.#networks.get(id);
    const holders = network?.holders.get(name);
    if (network === undefined || holders === undefined) return undefined;
    const key = `${type} ${name}`;
    let entry = network.entries.get(key);
    if (entry === undefined) {
      entry = { records: [...holders].flatMap(({ endpoint }) => addresses(endpoint, type)), turn: 0 };
      network.entries.set(key, entry);
    }
    const first = entry.turn;
    entry.turn = entry.records.length === 0 ? 0 : (first + 1) % entry.records.length;
    return { records: entry.records, first };
  }

  #reverse({ endpoints }: NamedSandbox, zone: string): Found | undefined {
    for (const { network } of endpoints) {
      const data = this.#networks.get(network)?.reverse.get(zone);
      if (data !== undefined) return { records: [{ type: TYPE_PTR, data }], first: 0 };
    }
    return undefined;
  }

  #add(holder: Holder): void {
    const { endpoint } = holder;
    const network = this.#networks.get(endpoint.network) ?? {
      holders: new Map(),
      entries: new Map(),
      reverse: new Map(),
    };
    this.#networks.set(endpoint.network, network);
    network.entries.clear();
    for (const name of new Set(endpoint.names.map(nameKey))) {
      const holders = network.holders.get(name) ?? new Set();
      network.holders.set(name, holders.add(holder));
    }
    const target = encodeName(`${endpoint.names[0] ?? ""}.${endpoint.networkName}`);
    if (target === undefined) return;
    for (const zone of reverseZones(endpoint)) network.reverse.set(zone, target);
  }

  #drop(holder: Holder): void {
    const { endpoint } = holder;
    const network = this.#networks.get(endpoint.network);
    if (network === undefined) return;
    network.entries.clear();
    for (const name of endpoint.names.map(nameKey)) {
      const holders = network.holders.get(name);
      holders?.delete(holder);
      if (holders?.size === 0) network.holders.delete(name);
    }
    for (const zone of reverseZones(endpoint)) network.reverse.delete(zone);
    if (network.holders.size === 0) this.#networks.delete(endpoint.network);
  }
}

function addresses({ ipv4, ipv6 }: NamedEndpoint, type: number): AnswerRecord[] {
  const records: AnswerRecord[] = [];
  if (ipv4 !== undefined && (type === TYPE_A || type === TYPE_ANY)) records.push({ type: TYPE_A, data: ipv4 });
  if (ipv6 !== undefined && (type === TYPE_AAAA || type === TYPE_ANY)) records.push({ type: TYPE_AAAA, data: ipv6 });
  return records;
}

/** RFC 1035, 3.5; RFC 3596, 2.5. */
function reverseZones({ ipv4, ipv6 }: NamedEndpoint): string[] {
  const zones: string[] = [];
  if (ipv4 !== undefined) zones.push(`${[...ipv4].toReversed().join(".")}.in-addr.arpa`);
  if (ipv6 !== undefined) {
    const digits = [...ipv6].flatMap((byte) => [byte >> 4, byte & 15].map((digit) => digit.toString(16)));
    zones.push(`${digits.toReversed().join(".")}.ip6.arpa`);
  }
  return zones;
}
