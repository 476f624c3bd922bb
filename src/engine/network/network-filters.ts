/** The filters of `network ls` and `network prune`, with Docker's meaning. */
import { EngineError } from "#lib/errors.ts";
import { PREDEFINED } from "./network-config.ts";
import type { NetworkRecord } from "./store.ts";

export type Filters = Readonly<Record<string, readonly string[]>>;

/** A network passes when each filter has a value that fits it; of `label` all must fit. Throws kind "invalid". */
export function matcher(filters: Filters, attached: (id: string) => boolean): (network: NetworkRecord) => boolean {
  const tests = Object.entries(filters)
    .filter(([, values]) => values.length > 0)
    .map(([name, values]) => test(name, values, attached));
  return (network) => tests.every((passes) => passes(network));
}

/** `until`: a duration (`24h30m`), seconds since 1970 or an RFC 3339 time; passes networks created before it. */
export function olderThan(until: readonly string[]): (network: NetworkRecord) => boolean {
  const [text, ...more] = until;
  if (text === undefined) return () => true;
  if (more.length > 0) throw new EngineError("invalid", "more than one until filter specified");
  const limit = moment(text);
  return ({ created }) => Date.parse(created) < limit;
}

function test(
  name: string,
  values: readonly string[],
  attached: (id: string) => boolean,
): (network: NetworkRecord) => boolean {
  switch (name) {
    case "driver":
      return ({ driver }) => values.includes(driver);
    case "id":
      return ({ id }) => values.some((value) => fits(id, value));
    case "name":
      return (network) => values.some((value) => fits(network.name, value));
    case "scope":
      return () => values.includes("local");
    case "label":
      return ({ labels }) => values.every((value) => hasLabel(labels, value));
    case "label!":
      return ({ labels }) => !values.some((value) => hasLabel(labels, value));
    case "type": {
      const wrong = values.find((value) => value !== "custom" && value !== "builtin");
      if (wrong !== undefined) throw new EngineError("invalid", `invalid filter: 'type'='${wrong}'`);
      return (network) => values.includes(PREDEFINED.includes(network.name) ? "builtin" : "custom");
    }
    case "dangling": {
      const [wanted = "", ...more] = values;
      if (more.length > 0) throw new EngineError("invalid", 'got more than one value for filter key "dangling"');
      if (!["true", "1", "false", "0"].includes(wanted)) {
        const why = `must be "true" (or "1"), or "false" (or "0")`;
        throw new EngineError("invalid", `invalid value for filter 'dangling', ${why}`);
      }
      const dangling = wanted === "true" || wanted === "1";
      return ({ id, name: own }) => (!PREDEFINED.includes(own) && !attached(id)) === dangling;
    }
    default:
      throw new EngineError("invalid", `invalid filter '${name}'`);
  }
}

/** Docker takes the value as text first and as a regular expression then. */
function fits(text: string, value: string): boolean {
  if (text.includes(value)) return true;
  try {
    return new RegExp(value).test(text);
  } catch {
    return false;
  }
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const at = wanted.indexOf("=");
  return at < 0 ? Object.hasOwn(labels, wanted) : labels[wanted.slice(0, at)] === wanted.slice(at + 1);
}

function moment(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (/^(\d+(\.\d+)?(h|m|s|ms))+$/.test(text)) {
    const units = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;
    const parts = text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g);
    return (
      Date.now() - parts.reduce((sum, [, value, unit]) => sum + Number(value) * units[unit as keyof typeof units], 0)
    );
  }
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new EngineError("invalid", `invalid value for 'until' filter: "${text}"`);
  return time;
}
