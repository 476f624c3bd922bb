/** Keeps other firewalls from cutting our bridges off: opens Docker's documented place, reports what it cannot open. */
import { errorMessage } from "#lib/errors.ts";
import type { Logger } from "#lib/log.ts";
import { legacyForward } from "#linux/iptables-legacy.ts";
import type { NftObject } from "#linux/nftables.ts";
import type { Firewall } from "./firewall.ts";
import type { RuleWatch } from "./rule-watch.ts";

const DOCKER_USER = "chain ip filter DOCKER-USER";
/** Docker or a reloaded firewall may come at any time; looking costs 50 µs. */
const CHECK_INTERVAL_MS = 2000;

/**
 * An accept in our own table does not overrule a drop in another's, so where Docker drops forwarded packets by policy
 * our bridges are accepted in a chain of ours that DOCKER-USER jumps to, behind the rules that are there. Only
 * matches that iptables can show are used: it refuses to work on a table with others.
 */
export class ForwardGuard {
  readonly #rules: RuleWatch;
  readonly #firewall: Firewall;
  readonly #log: Logger;
  #warnings: string[] = [];
  #failure = "";
  #timer: Timer | undefined;

  constructor(rules: RuleWatch, firewall: Firewall, log: Logger) {
    this.#rules = rules;
    this.#firewall = firewall;
    this.#log = log;
  }

  /** What blocked at the last look, and the command that opens it. */
  get warnings(): string[] {
    return [...this.#warnings];
  }

  /** Looks now and then again every two seconds, until `stop`. */
  start(): void {
    this.check();
    this.#timer = setInterval(() => this.check(), CHECK_INTERVAL_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Repairs our table, our accepts and the warnings if anybody changed nftables. */
  check(): void {
    if (this.#rules.changed()) this.update();
  }

  /** Brings our table, accepts and warnings up to date. Failures are logged, and the next check tries again. */
  update(): void {
    try {
      if (this.#firewall.repair())
        this.#log.warn({ table: this.#firewall.table }, "the nftables table was gone: made anew");
      this.#openDockerUser();
      this.#warn();
      this.#failure = "";
    } catch (error) {
      this.#rules.suspect();
      // Every two seconds the same would fill the log.
      const failure = errorMessage(error);
      if (failure !== this.#failure) this.#log.error({ error }, "cannot check the host's firewall");
      this.#failure = failure;
    }
  }

  #warn(): void {
    const warnings = this.#findBlocks();
    for (const warning of warnings) if (!this.#warnings.includes(warning)) this.#log.warn({}, warning);
    this.#warnings = warnings;
  }

  /** Takes our accepts out of DOCKER-USER. */
  remove(): void {
    const { table } = this.#firewall;
    const jumps = this.#jumps(this.#rules.list(DOCKER_USER) ?? []).map(
      (handle) => `delete rule ip filter DOCKER-USER handle ${handle}`,
    );
    if (jumps.length === 0 && this.#rules.list(`chain ip filter ${table}`) === undefined) return;
    this.#rules.run(
      "cannot leave the chain DOCKER-USER",
      [...jumps, `flush chain ip filter ${table}`, `delete chain ip filter ${table}`].join("\n"),
    );
  }

  #openDockerUser(): void {
    const rules = this.#rules.list(DOCKER_USER);
    const { table, devices } = this.#firewall;
    if (rules === undefined || devices.length === 0) return;
    const wanted = devices.flatMap((device) => accepts(device));
    const found = rulesOf(this.#rules.list(`chain ip filter ${table}`) ?? []);
    const jumps = this.#jumps(rules);
    const complete = found.length === wanted.length && devices.every((device) => mentions(found, device));
    // Docker changes rules with each of its containers: writing the same again would cost both of us.
    if (complete && jumps.length > 0) return;
    const script = [
      `add chain ip filter ${table}`,
      `flush chain ip filter ${table}`,
      ...wanted.map((rule) => `add rule ip filter ${table} ${rule}`),
    ];
    if (jumps.length === 0) {
      const place = finalReturn(rules);
      const where =
        place === undefined ? "add rule ip filter DOCKER-USER" : `insert rule ip filter DOCKER-USER handle ${place}`;
      script.push(`${where} counter jump ${table} comment "${table}"`);
    }
    this.#rules.run("cannot accept our bridges in the chain DOCKER-USER", script.join("\n"));
  }

  /** Handles of the rules in DOCKER-USER that jump to our chain. */
  #jumps(objects: readonly NftObject[]): number[] {
    return rulesOf(objects)
      .filter(({ expr }) => expr.some(({ jump }) => jump?.target === this.#firewall.table))
      .map(({ handle }) => handle);
  }

  #findBlocks(): string[] {
    const warnings: string[] = [];
    for (const { chain } of this.#rules.list("chains") ?? []) {
      const found = chain as ChainObject | undefined;
      if (found?.hook !== "forward" || !["ip", "inet"].includes(found.family) || found.table === this.#firewall.table)
        continue;
      const warning = this.#blockedBy(found);
      if (warning !== undefined) warnings.push(warning);
    }
    const legacy = legacyForward();
    if (legacy?.drops === true) {
      const closed = this.#firewall.devices.filter((device) => !legacy.devices.has(device));
      const open = (device: string) =>
        `iptables-legacy -I FORWARD -i ${device} -j ACCEPT && iptables-legacy -I FORWARD -o ${device} -j ACCEPT`;
      if (closed.length > 0) warnings.push(sentence("the chain FORWARD of the legacy iptables", closed, open));
    }
    return warnings;
  }

  #blockedBy({ family, table, name, policy }: ChainObject): string | undefined {
    const firewalld = table === "firewalld";
    if (policy !== "drop" && !firewalld && !this.#endsClosed(`chain ${family} ${table} ${name}`)) return undefined;
    const objects = this.#rules.list(`table ${family} ${table}`) ?? [];
    const chains = objects.map(({ chain }) => (chain as ChainObject | undefined)?.name);
    if (family === "ip" && table === "filter" && chains.includes("DOCKER-USER")) return undefined;
    const closed = this.#firewall.devices.filter((device) => !mentions(rulesOf(objects), device));
    if (closed.length === 0) return undefined;
    const open = (device: string): string => {
      if (firewalld)
        return `firewall-cmd --permanent --zone=trusted --add-interface=${device} && firewall-cmd --reload`;
      if (chains.some((chain) => chain?.startsWith("ufw-")))
        return `ufw route allow in on ${device} && ufw route allow out on ${device}`;
      if (family === "ip" && table === "filter")
        return `iptables -I FORWARD -i ${device} -j ACCEPT && iptables -I FORWARD -o ${device} -j ACCEPT`;
      const insert = `nft insert rule ${family} ${table} ${name}`;
      return `${insert} iifname ${device} accept && ${insert} oifname ${device} accept`;
    };
    const subject = firewalld ? "firewalld" : `the chain ${name} of the nftables table ${family} ${table}`;
    return sentence(subject, closed, open);
  }

  /** Whether the last rule drops or rejects whatever comes to it, which is a policy too. */
  #endsClosed(chain: string): boolean {
    const last = rulesOf(this.#rules.list(chain) ?? []).at(-1);
    const harmless = (part: object) => "counter" in part || "log" in part;
    const closes = (part: object) => "drop" in part || "reject" in part;
    return last?.expr.every((part) => harmless(part) || closes(part)) === true && last.expr.some(closes);
  }
}

interface ChainObject {
  family: string;
  table: string;
  name: string;
  hook?: string;
  policy?: string;
}

interface RuleObject {
  handle: number;
  expr: { jump?: { target: string }; return?: null; counter?: unknown }[];
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

function rulesOf(objects: readonly NftObject[]): RuleObject[] {
  return objects.flatMap(({ rule }) => (rule === undefined ? [] : [rule as RuleObject]));
}

/** The handle of an unconditional return at the end, which older Dockers put there. */
function finalReturn(objects: readonly NftObject[]): number | undefined {
  const last = rulesOf(objects).at(-1);
  return last?.expr.every((part) => "return" in part || "counter" in part) ? last.handle : undefined;
}

/** Whether any rule names the device: then its owner has dealt with it. */
function mentions(rules: readonly object[], device: string): boolean {
  return rules.some((rule) => JSON.stringify(rule).includes(`"${device}"`));
}

function sentence(subject: string, closed: readonly string[], open: (device: string) => string): string {
  const commands = closed.map(open).join(" && ");
  return `${subject} drops what containers on ${closed.join(", ")} send and receive; open it with: ${commands}`;
}
