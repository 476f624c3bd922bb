/** Runs our nftables transactions and notices those of others, at the price of one short question to the kernel. */
import { changeElements, type SetElement } from "#linux/netlink-elements.ts";
import { nftablesGeneration } from "#linux/netlink-netfilter.ts";
import type { Netlink } from "#linux/netlink.ts";
import type { Nftables, NftObject } from "#linux/nftables.ts";

/** Each transaction raises the kernel's generation by one: a greater step was someone else's. */
export class RuleWatch {
  readonly #nft: Nftables;
  readonly #netfilter: Netlink;
  #seen: number;
  #foreign = true;

  /** Both stay the caller's to close. */
  constructor(nft: Nftables, netfilter: Netlink) {
    this.#nft = nft;
    this.#netfilter = netfilter;
    this.#seen = nftablesGeneration(netfilter);
  }

  /** As `Nftables.run`. */
  run(doing: string, script: string): void {
    this.#watch(() => this.#nft.run(doing, script));
  }

  /** As `changeElements`. */
  change(doing: string, table: string, change: "add" | "delete", elements: readonly SetElement[]): void {
    this.#watch(() => changeElements(this.#netfilter, doing, table, change, elements));
  }

  #watch(transaction: () => void): void {
    const before = nftablesGeneration(this.#netfilter);
    if (before !== this.#seen) this.#foreign = true;
    try {
      transaction();
    } finally {
      this.#seen = nftablesGeneration(this.#netfilter);
      if (this.#seen > before + 1) this.#foreign = true;
    }
  }

  /** As `Nftables.list`. */
  list(command: string): NftObject[] | undefined {
    return this.#nft.list(command);
  }

  /** Makes `changed` true once more: what was to follow the last change did not succeed. */
  suspect(): void {
    this.#foreign = true;
  }

  /** Whether someone else changed rules since this was last asked (true the first time). */
  changed(): boolean {
    const now = nftablesGeneration(this.#netfilter);
    const changed = this.#foreign || now !== this.#seen;
    this.#seen = now;
    this.#foreign = false;
    return changed;
  }
}
