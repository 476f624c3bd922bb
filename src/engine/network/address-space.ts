/** Hands out addresses of one network, and subnets to new networks. */
import { EngineError } from "#lib/errors.ts";
import { contains, formatIpv4, type Ipv4Prefix, lastOf, networkOf, overlap, parsePrefix, sizeOf } from "#lib/ipv4.ts";
import type { AddressPool } from "./types.ts";

/** Docker's local pools. */
export const DOCKER_POOLS: readonly AddressPool[] = [
  ...Array.from({ length: 15 }, (_, i) => ({ base: `172.${17 + i}.0.0/16`, size: 16 })),
  { base: "192.168.0.0/16", size: 20 },
];

/** The first subnet of the pools that touches none of `used`. Throws kind "unavailable" where there is none left. */
export function pickSubnet(pools: readonly AddressPool[], used: readonly Ipv4Prefix[]): Ipv4Prefix {
  for (const { base, size } of pools) {
    const pool = parsePrefix(base);
    if (pool === undefined || size < pool.prefix || size > 30) {
      throw new EngineError("invalid", `invalid address pool ${base} with subnets of size ${size}`);
    }
    const end = lastOf(pool);
    for (let address = networkOf(pool).address; address < end; address += sizeOf(size)) {
      const subnet = { address, prefix: size };
      if (!used.some((other) => overlap(other, subnet))) return subnet;
    }
  }
  throw new EngineError("unavailable", "all predefined address pools have been fully subnetted");
}

/** The addresses of one network that are in use. Lives in memory: sandboxes are what is persisted. */
export class AddressSpace {
  readonly subnet: Ipv4Prefix;
  readonly #range: Ipv4Prefix;
  readonly #label: string;
  readonly #used: Set<number>;

  /** `range` limits what `take` picks; `reserved` is never handed out; `label` names the network in messages. */
  constructor(subnet: Ipv4Prefix, range: Ipv4Prefix | undefined, reserved: readonly number[], label: string) {
    this.subnet = subnet;
    this.#range = range ?? subnet;
    this.#label = label;
    this.#used = new Set([...reserved, networkOf(subnet).address, lastOf(subnet)]);
  }

  /** The lowest free address. Throws kind "unavailable" where all are taken. */
  take(): number {
    const end = lastOf(this.#range);
    for (let address = networkOf(this.#range).address; address <= end; address++) {
      if (this.#used.has(address)) continue;
      this.#used.add(address);
      return address;
    }
    throw new EngineError("unavailable", `no available IPv4 addresses on this network's address pools: ${this.#label}`);
  }

  /** Takes this one. Throws kind "forbidden" where it is in use, "invalid" where it lies outside the subnet. */
  claim(address: number): void {
    if (!contains(this.subnet, address)) {
      throw new EngineError("invalid", `no configured subnet contains IP address ${formatIpv4(address)}`);
    }
    if (this.#used.has(address)) throw new EngineError("forbidden", "Address already in use");
    this.#used.add(address);
  }

  giveBack(address: number): void {
    this.#used.delete(address);
  }
}
