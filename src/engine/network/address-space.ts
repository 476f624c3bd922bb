/** Hands out addresses of one family in one network. */
import { EngineError } from "#lib/errors.ts";
import { addressOf, contains, formatAddress, type IpPrefix, lastOf, networkOf, prefixOf } from "#lib/ip.ts";
import type { SubnetConfig } from "./store.ts";

/** The addresses in use. Lives in memory: sandboxes are what is persisted. */
export class AddressSpace {
  readonly subnet: IpPrefix;
  readonly #range: IpPrefix;
  readonly #label: string;
  readonly #used: Set<bigint>;

  /** Gateway and reserved addresses are never handed out; `label` names the network in messages. */
  constructor({ subnet, range, gateway, reserved }: SubnetConfig, label: string) {
    this.subnet = prefixOf(subnet);
    this.#range = range === undefined ? this.subnet : prefixOf(range);
    this.#label = label;
    const taken = [...reserved, ...(gateway === "" ? [] : [gateway])].map((text) => addressOf(text).value);
    // The first means all routers of the subnet in IPv6 and is an old broadcast address in IPv4.
    this.#used = new Set([...taken, networkOf(this.subnet).value]);
    if (this.subnet.family === 4) this.#used.add(lastOf(this.subnet).value);
  }

  /** The lowest free address. Throws kind "unavailable" where all are taken. */
  take(): string {
    const { family } = this.subnet;
    const end = lastOf(this.#range).value;
    for (let value = networkOf(this.#range).value; value <= end; value++) {
      if (this.#used.has(value)) continue;
      this.#used.add(value);
      return formatAddress({ family, value });
    }
    throw new EngineError(
      "unavailable",
      `no available IPv${family} addresses on this network's address pools: ${this.#label}`,
    );
  }

  /** Takes this one. Throws kind "forbidden" where it is in use, "invalid" where it lies outside the subnet. */
  claim(text: string): void {
    const address = addressOf(text);
    if (!contains(this.subnet, address)) {
      throw new EngineError("invalid", `no configured subnet contains IP address ${text}`);
    }
    if (this.#used.has(address.value)) throw new EngineError("forbidden", "Address already in use");
    this.#used.add(address.value);
  }

  giveBack(text: string): void {
    this.#used.delete(addressOf(text).value);
  }
}
