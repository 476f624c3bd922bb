/** Keeps other firewalls from cutting our bridges off: opens Docker's documented place, reports what it cannot open. */
import { errorMessage } from "#lib/errors.ts";
import type { Logger } from "#lib/log.ts";
import { legacyForward } from "#linux/iptables-legacy.ts";
import { DockerUser, FILTER_TABLE } from "./docker-user.ts";
import { FAMILIES } from "./families.ts";
import type { Firewall } from "./firewall.ts";
import { type ChainObject, chainsOf, endsClosed, mentions, rulesOf } from "./rule-objects.ts";
import type { RuleWatch } from "./rule-watch.ts";

/** Docker or a reloaded firewall may come at any time; looking costs 50 µs. */
const CHECK_INTERVAL_MS = 2000;

/** An accept in our own table does not overrule a drop in another's. */
export class ForwardGuard {
  readonly #rules: RuleWatch;
  readonly #firewall: Firewall;
  readonly #dockerUser: DockerUser;
  readonly #log: Logger;
  #warnings: string[] = [];
  #failure = "";
  #timer: Timer | undefined;

  constructor(rules: RuleWatch, firewall: Firewall, log: Logger) {
    this.#rules = rules;
    this.#firewall = firewall;
    this.#dockerUser = new DockerUser(rules, firewall);
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
      this.#dockerUser.open();
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
    this.#dockerUser.remove();
  }

  #findBlocks(): string[] {
    const warnings: string[] = [];
    for (const chain of chainsOf(this.#rules.list("chains") ?? [])) {
      if (chain.hook !== "forward" || chain.table === this.#firewall.table) continue;
      const warning = this.#blockedBy(chain);
      if (warning !== undefined) warnings.push(warning);
    }
    for (const family of FAMILIES) {
      const legacy = legacyForward(family);
      if (legacy?.drops !== true) continue;
      const closed = this.#firewall.devices(family).filter((device) => !legacy.devices.has(device));
      const command = `${COMMAND[family]}-legacy`;
      const open = (device: string) =>
        `${command} -I FORWARD -i ${device} -j ACCEPT && ${command} -I FORWARD -o ${device} -j ACCEPT`;
      if (closed.length > 0)
        warnings.push(sentence(`the chain FORWARD of the legacy ${COMMAND[family]}`, closed, open));
    }
    return warnings;
  }

  #blockedBy({ family, table, name, policy }: ChainObject): string | undefined {
    const devices = this.#devicesIn(family);
    const firewalld = table === "firewalld";
    if (devices.length === 0) return undefined;
    if (policy !== "drop" && !firewalld && !endsClosed(this.#rules.list(`chain ${family} ${table} ${name}`) ?? []))
      return undefined;
    const objects = this.#rules.list(`table ${family} ${table}`) ?? [];
    const chains = chainsOf(objects).map((chain) => chain.name);
    const iptables = FAMILIES.find((one) => FILTER_TABLE[one] === `${family} ${table}`);
    if (iptables !== undefined && chains.includes("DOCKER-USER")) return undefined;
    const closed = devices.filter((device) => !mentions(rulesOf(objects), device));
    if (closed.length === 0) return undefined;
    const open = (device: string): string => {
      if (firewalld)
        return `firewall-cmd --permanent --zone=trusted --add-interface=${device} && firewall-cmd --reload`;
      if (chains.some((chain) => chain.startsWith("ufw")))
        return `ufw route allow in on ${device} && ufw route allow out on ${device}`;
      const command = iptables === undefined ? "" : COMMAND[iptables];
      if (command !== "")
        return `${command} -I FORWARD -i ${device} -j ACCEPT && ${command} -I FORWARD -o ${device} -j ACCEPT`;
      const insert = `nft insert rule ${family} ${table} ${name}`;
      return `${insert} iifname ${device} accept && ${insert} oifname ${device} accept`;
    };
    const subject = firewalld ? "firewalld" : `the chain ${name} of the nftables table ${family} ${table}`;
    return sentence(subject, closed, open);
  }

  /** Our bridges whose packets pass chains of that family of tables. */
  #devicesIn(family: string): string[] {
    if (family === "inet") return this.#firewall.networks.map(({ device }) => device);
    if (family === "ip") return this.#firewall.devices(4);
    return family === "ip6" ? this.#firewall.devices(6) : [];
  }
}

const COMMAND = { 4: "iptables", 6: "ip6tables" } as const;

function sentence(subject: string, closed: readonly string[], open: (device: string) => string): string {
  const commands = closed.map(open).join(" && ");
  return `${subject} drops what containers on ${closed.join(", ")} send and receive; open it with: ${commands}`;
}
