import { expect, jest, test } from "bun:test";
import { Housekeeping } from "./housekeeping.ts";

test("what runs for those to come runs while somebody comes, and sleeps after five quiet minutes", () => {
  jest.useFakeTimers();
  try {
    const told: string[] = [];
    using housekeeping = new Housekeeping({ sleep: () => told.push("sleep"), wake: () => told.push("wake") });
    housekeeping.started();
    jest.advanceTimersByTime(290_000);
    expect(told).toEqual(["wake"]);
    housekeeping.touch();
    jest.advanceTimersByTime(290_000);
    expect(told).toEqual(["wake", "wake"]);
    jest.advanceTimersByTime(20_000);
    expect(told).toEqual(["wake", "wake", "sleep"]);
    housekeeping.touch();
    expect(told.at(-1)).toBe("wake");
  } finally {
    jest.useRealTimers();
  }
});
