/** Accepts our bridges in the chain that Docker documents for that, where Docker drops what it does not know. */
import { FAMILIES } from "./families.ts";
import type { Firewall } from "./firewall.ts";
import type { RuleWatch } from "./rule-watch.ts";
import { finalReturn, mentions, rulesOf, rulesThatJump } from "./rule-objects.ts";

/** The tables of iptables and of ip6tables. */
export const FILTER_TABLE = { 4: "ip filter", 6: "ip6 filter" } as const;

/**
 * Our accepts are in a chain of ours that DOCKER-USER jumps to, behind the rules that are there. Only matches that
 * iptables can show are used: it refuses to work on a table with others.
 */
export class DockerUser {
  readonly #rules: RuleWatch;
  readonly #firewall: Firewall;

  constructor(rules: RuleWatch, firewall: Firewall) {
    this.#rules = rules;
    this.#firewall = firewall;
  }

  /** Brings our accepts up to date, in each family that has the chain. */
  open(): void {
    for (const family of FAMILIES) this.#open(FILTER_TABLE[family], this.#firewall.devices(family));
  }

  /** Takes our accepts out. */
  remove(): void {
    for (const family of FAMILIES) this.#remove(FILTER_TABLE[family]);
  }

  #remove(filter: string): void {
    const { table } = this.#firewall;
    const jumps = rulesThatJump(this.#rules.list(`chain ${filter} DOCKER-USER`) ?? [], table).map(
      (handle) => `delete rule ${filter} DOCKER-USER handle ${handle}`,
    );
    if (jumps.length === 0 && this.#rules.list(`chain ${filter} ${table}`) === undefined) return;
    this.#rules.run(
      "cannot leave the chain DOCKER-USER",
      [...jumps, `flush chain ${filter} ${table}`, `delete chain ${filter} ${table}`].join("\n"),
    );
  }

  #open(filter: string, devices: readonly string[]): void {
    const { table } = this.#firewall;
    const rules = this.#rules.list(`chain ${filter} DOCKER-USER`);
    if (rules === undefined || devices.length === 0) return;
    const wanted = devices.flatMap((device) => accepts(device));
    const found = rulesOf(this.#rules.list(`chain ${filter} ${table}`) ?? []);
    const jumps = rulesThatJump(rules, table);
    const complete = found.length === wanted.length && devices.every((device) => mentions(found, device));
    // Docker changes rules with each of its containers: writing the same again would cost both of us.
    if (complete && jumps.length > 0) return;
    const script = [
      `add chain ${filter} ${table}`,
      `flush chain ${filter} ${table}`,
      ...wanted.map((rule) => `add rule ${filter} ${table} ${rule}`),
    ];
    if (jumps.length === 0) {
      const place = finalReturn(rules);
      const where =
        place === undefined ? `add rule ${filter} DOCKER-USER` : `insert rule ${filter} DOCKER-USER handle ${place}`;
      script.push(`${where} counter jump ${table} comment "${table}"`);
    }
    this.#rules.run("cannot accept our bridges in the chain DOCKER-USER", script.join("\n"));
  }
}

/** What leads to Docker's own bridges stays Docker's to decide; our table decides what may come in. */
function accepts(device: string): string[] {
  return [
    `iifname "${device}" oifname "docker0" return`,
    `iifname "${device}" oifname "br-*" return`,
    `iifname "${device}" accept`,
    `oifname "${device}" accept`,
  ];
}
