import { expect, test } from "bun:test";
import { formatTime, NEVER, now, parseTime } from "./time.ts";

test("formats and parses nanoseconds as Go does", () => {
  expect(formatTime(1_700_000_000_000_000_000n)).toBe("2023-11-14T22:13:20Z");
  expect(formatTime(1_700_000_000_120_000_000n)).toBe("2023-11-14T22:13:20.12Z");
  expect(formatTime(1_700_000_000_000_000_001n)).toBe("2023-11-14T22:13:20.000000001Z");
  expect(parseTime("2023-11-14T23:13:20.12+01:00")).toBe(1_700_000_000_120_000_000n);
  expect(parseTime(NEVER)).toBeUndefined();
  expect(parseTime("yesterday")).toBeUndefined();
});

test("now agrees with Date within a millisecond or two", () => {
  expect(Math.abs(Number(now() / 1_000_000n) - Date.now())).toBeLessThan(5);
});
