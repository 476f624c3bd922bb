/** Reads `--since` and `--until` as Docker's client does. */
import { parseDuration, quote } from "./go.ts";

/**
 * Unix time as the API takes it (`seconds.nanoseconds`), from a Go duration before now (`10m`), a date with or without
 * time and zone (local time without), or seconds. Throws Docker's words for any other text.
 */
export function parseTimestamp(text: string, now = Date.now()): string {
  const ago = durationOf(text);
  if (ago !== undefined) return seconds(BigInt(now) * 1_000_000n - BigInt(ago));
  const date = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}(?::\d{2}(?::\d{2})?)?)(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?$/.exec(text);
  if (!date) {
    if (/^\d+(?:\.\d{1,9})?$/.test(text)) return text;
    throw new Error(`failed to parse value as time or duration: ${quote(text)}`);
  }
  const [, day, clock = "00", fraction = "", zone = ""] = date;
  // Without a time JavaScript takes a date for UTC, Docker for local time.
  const time = Date.parse(`${day}T${clock.padEnd(5, ":00").padEnd(8, ":00")}${zone}`);
  if (Number.isNaN(time)) throw new Error(`failed to parse value as time or duration: ${quote(text)}`);
  return seconds(BigInt(time) * 1_000_000n + BigInt(fraction.slice(1).padEnd(9, "0").slice(0, 9) || 0));
}

function durationOf(text: string): number | undefined {
  try {
    return /[a-zµμ]$/.test(text) ? parseDuration(text) : undefined;
  } catch {
    return undefined;
  }
}

/** Before 1970 as in Go: the fraction counts forward from the second before. */
function seconds(nanos: bigint): string {
  const fraction = ((nanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return `${(nanos - fraction) / 1_000_000_000n}.${String(fraction).padStart(9, "0")}`;
}
