import { expect, test } from "bun:test";
import { parseTimestamp } from "./timestamp.ts";

test.each([
  ["10m", "1699999400.000000000"],
  ["1h30m", "1699994600.000000000"],
  ["1700000000", "1700000000"],
  ["1700000000.5", "1700000000.5"],
  ["2023-11-14T22:13:20Z", "1700000000.000000000"],
  ["2023-11-14T22:13:20.123456789Z", "1700000000.123456789"],
  ["2023-11-14T23:13:20+01:00", "1700000000.000000000"],
  ["1000000h", "-1900000000.000000000"],
  ["2023-11-14T22:13Z", "1699999980.000000000"],
])("%s", (text, expected) => {
  expect(parseTimestamp(text, 1_700_000_000_000)).toBe(expected);
});

test.each(["soon", "2023-99-99", "1h5"])("%s is refused", (text) => {
  expect(() => parseTimestamp(text)).toThrow(`failed to parse value as time or duration: "${text}"`);
});

test("before 1970 the fraction counts forward", () => {
  expect(parseTimestamp("2s", 1500)).toBe("-1.500000000");
});
