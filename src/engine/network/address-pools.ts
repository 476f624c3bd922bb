/** Picks subnets for networks that name none, beside everything that the host reaches already. */
import { createHash } from "node:crypto";
import { EngineError } from "#lib/errors.ts";
import {
  addressOf,
  formatPrefix,
  type IpFamily,
  type IpPrefix,
  lastOf,
  networkOf,
  overlap,
  parsePrefix,
  sizeOf,
  WIDTH,
} from "#lib/ip.ts";
import type { AddressPool } from "./types.ts";

/** Docker's local pools. */
const DOCKER_POOLS: readonly AddressPool[] = [
  ...Array.from({ length: 15 }, (_, i) => ({ base: `172.${17 + i}.0.0/16`, size: 16 })),
  { base: "192.168.0.0/16", size: 20 },
];

/** `configured`, or Docker's; where these have none of IPv6, also the pool of this host. */
export function poolsOf(configured: readonly AddressPool[] | undefined, hostId: string): readonly AddressPool[] {
  const pools = configured ?? DOCKER_POOLS;
  return pools.some(({ base }) => parsePrefix(base)?.family === 6) ? pools : [...pools, ulaPool(hostId)];
}

/** Networks of 64 bits in a unique local prefix that is made of `hostId`, as RFC 4193, section 3.2.2, has it. */
export function ulaPool(hostId: string): AddressPool {
  const globalId = createHash("sha256").update(hostId).digest().readBigUInt64BE() & 0xff_ffff_ffffn;
  const value = addressOf("fd00::").value | (globalId << 80n);
  return { base: formatPrefix({ family: 6, value, bits: 48 }), size: 64 };
}

/** Whether `size` bits make subnets of the base that have room for a gateway and a container. */
export function isPool({ base, size }: AddressPool): boolean {
  const prefix = parsePrefix(base);
  return prefix !== undefined && Number.isInteger(size) && size >= prefix.bits && size <= WIDTH[prefix.family] - 2;
}

/** The first subnet of the pools that touches none of `used`. Throws kind "unavailable" where there is none left. */
export function pickSubnet(pools: readonly AddressPool[], family: IpFamily, used: readonly IpPrefix[]): IpPrefix {
  for (const pool of pools) {
    const base = parsePrefix(pool.base);
    if (base?.family === 6 && family === 4) continue;
    if (base?.family === 4 && family === 6) continue;
    if (base === undefined || !isPool(pool)) {
      throw new EngineError("invalid", `invalid address pool ${pool.base} with subnets of size ${pool.size}`);
    }
    const end = lastOf(base).value;
    const step = sizeOf({ family, bits: pool.size });
    for (let value = networkOf(base).value; value < end;) {
      const subnet = { family, value, bits: pool.size };
      const other = used.find((one) => overlap(one, subnet));
      if (other === undefined) return subnet;
      // What is in the way may be larger than what is sought: a pool has millions of subnets.
      const behind = lastOf(other).value + 1n;
      value = behind > value + step ? value + ((behind - value + step - 1n) / step) * step : value + step;
    }
  }
  throw new EngineError("unavailable", "all predefined address pools have been fully subnetted");
}
