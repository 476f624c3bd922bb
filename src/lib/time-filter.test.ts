import { expect, test } from "bun:test";
import { now } from "./time.ts";
import { parseDuration, parseUntil, untilFilter } from "./time-filter.ts";

test("durations, Unix seconds and dates are moments", () => {
  expect(parseDuration("1h30m")).toBe(5_400_000_000_000n);
  expect(parseDuration("1h30")).toBeUndefined();
  expect(now() - parseUntil("10s")).toBeLessThan(11_000_000_000n);
  expect(parseUntil("1700000000.5")).toBe(1_700_000_000_500_000_000n);
  expect(parseUntil("2023-11-14T22:13:20")).toBe(1_700_000_000_000_000_000n);
  expect(parseUntil("2023-11-14")).toBe(1_699_920_000_000_000_000n);
  expect(() => parseUntil("soon")).toThrow('failed to parse value as time or duration: "soon"');
});

test("a prune has one moment at most", () => {
  expect(untilFilter()).toBeUndefined();
  expect(untilFilter(["1700000000"])).toBe(1_700_000_000_000_000_000n);
  expect(() => untilFilter(["1m", "2m"])).toThrow("more than one until filter specified");
  expect(() => untilFilter([""])).toThrow('failed to parse value as time or duration: ""');
});
