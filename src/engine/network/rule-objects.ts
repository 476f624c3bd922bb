/** Reads rules as libnftables lists them (libnftables-json(5)). */
import type { NftObject } from "#linux/nftables.ts";

export interface ChainObject {
  family: string;
  table: string;
  name: string;
  hook?: string;
  policy?: string;
}

export interface RuleObject {
  handle: number;
  expr: { jump?: { target: string }; return?: null; counter?: unknown }[];
}

export function rulesOf(objects: readonly NftObject[]): RuleObject[] {
  return objects.flatMap(({ rule }) => (rule === undefined ? [] : [rule as RuleObject]));
}

export function chainsOf(objects: readonly NftObject[]): ChainObject[] {
  return objects.flatMap(({ chain }) => (chain === undefined ? [] : [chain as ChainObject]));
}

/** Handles of the rules that jump to the chain `target`. */
export function rulesThatJump(objects: readonly NftObject[], target: string): number[] {
  return rulesOf(objects)
    .filter(({ expr }) => expr.some(({ jump }) => jump?.target === target))
    .map(({ handle }) => handle);
}

/** The handle of an unconditional return at the end. */
export function finalReturn(objects: readonly NftObject[]): number | undefined {
  const last = rulesOf(objects).at(-1);
  return last?.expr.every((part) => "return" in part || "counter" in part) ? last.handle : undefined;
}

/** Whether any rule names the device, or a pattern such as `bt-*` for it: then its owner has dealt with it. */
export function mentions(rules: readonly object[], device: string): boolean {
  return rules.some((rule) => {
    const text = JSON.stringify(rule);
    if (text.includes(`"${device}"`)) return true;
    return [...text.matchAll(/"([^"*]+)\*"/g)].some(([, prefix = ""]) => device.startsWith(prefix));
  });
}

/** Whether the last rule drops or rejects whatever comes to it, which is a policy too. */
export function endsClosed(objects: readonly NftObject[]): boolean {
  const last = rulesOf(objects).at(-1);
  const harmless = (part: object) => "counter" in part || "log" in part;
  const closes = (part: object) => "drop" in part || "reject" in part;
  return last?.expr.every((part) => harmless(part) || closes(part)) === true && last.expr.some(closes);
}
