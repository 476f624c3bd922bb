/** Moments as users give them in filters and flags: `10m`, `2026-01-02T03:04:05`, Unix seconds. */
import { EngineError } from "./errors.ts";
import { now, parseTime } from "./time.ts";

const UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };
const DURATION = /^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/;

/** Nanoseconds of a Go duration such as `1h30m`; undefined where it is none. */
export function parseDuration(text: string): bigint | undefined {
  if (!DURATION.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
    total += Number(amount) * (UNITS[unit ?? "s"] ?? 0);
  }
  return BigInt(Math.round(total));
}

/** Nanoseconds since the epoch: a duration counts back from now. Throws "invalid". */
export function parseUntil(text: string): bigint {
  const duration = parseDuration(text);
  if (duration !== undefined) return now() - duration;
  const unix = /^(\d+)(?:\.(\d{1,9}))?$/.exec(text);
  if (unix !== null) return BigInt(unix[1] ?? 0) * 1_000_000_000n + BigInt((unix[2] ?? "").padEnd(9, "0"));
  const moment = parseTime(text) ?? parseTime(`${text}Z`) ?? parseTime(`${text}T00:00:00Z`) ?? parseTime(`${text}:00Z`);
  if (moment === undefined) {
    throw new EngineError("invalid", `failed to parse value as time or duration: ${JSON.stringify(text)}`);
  }
  return moment;
}

/** The one moment of a prune's `until` filter; undefined without one. Throws "invalid", for a second one too. */
export function untilFilter(values: readonly string[] = []): bigint | undefined {
  const [text, ...more] = values;
  if (more.length > 0) throw new EngineError("invalid", "more than one until filter specified");
  return text === undefined ? undefined : parseUntil(text);
}
