/** Wall-clock moments in nanoseconds and their RFC 3339 form; what timers can do. */

/** What a timer can hold, some 24 days, in milliseconds; with more it fires at once. */
export const LONGEST_TIMER = 2 ** 31 - 1;

/** Go's zero time: how the Engine API says "never". */
export const NEVER = "0001-01-01T00:00:00Z";

/** Nanoseconds since the epoch. */
export function now(): bigint {
  return Temporal.Now.instant().epochNanoseconds;
}

/** RFC 3339 with nanoseconds in UTC, trailing zeros dropped as Go's RFC3339Nano does. */
export function formatTime(nanoseconds: bigint): string {
  const seconds = nanoseconds / 1_000_000_000n;
  const fraction = (nanoseconds % 1_000_000_000n).toString().padStart(9, "0").replace(/0+$/, "");
  const date = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return fraction === "" ? `${date}Z` : `${date}.${fraction}Z`;
}

/** Nanoseconds of an RFC 3339 text; undefined where it is none or means "never". */
export function parseTime(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (match === null || text === NEVER) return undefined;
  const milliseconds = Date.parse(`${match[1]}${match[3]}`);
  if (Number.isNaN(milliseconds)) return undefined;
  return BigInt(milliseconds) * 1_000_000n + BigInt((match[2] ?? "").padEnd(9, "0"));
}

/** Settles with `work`, or after so many milliseconds. Rejects as `work` does within them. */
export async function settledWithin(work: Promise<unknown>, milliseconds: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  try {
    await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
