/** How bars are judged, and that one daemon's failure is written down without stopping the other. */
import { expect, test } from "bun:test";
import { measure, passes, type Result } from "./measure.ts";
import { atLeast, atMost, type Bar, berthAtMost, type Group, median } from "./metric.ts";
import { failures } from "./report.ts";
import type { Target } from "./target.ts";

const options = { runs: undefined, settle: 0, pauses: { short: 0, long: 0 }, signal: new AbortController().signal };

function result(bar: Bar, berth: number[], docker: number[]): Result {
  const samples = (values: number[]) => ({ values, failures: [] });
  return {
    metric: { name: "m", unit: "ms", better: "lower", bar },
    sides: { berth: samples(berth), docker: samples(docker) },
  };
}

test("median of odd and even counts", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

test("a bar holds for the ratio of the medians or for Berth alone, its limit included", () => {
  expect(passes(result(atMost(0.5), [1, 1, 9], [2]))).toBe(true);
  expect(passes(result(atMost(0.5), [1.1], [2]))).toBe(false);
  expect(passes(result(atLeast(3), [6], [2]))).toBe(true);
  expect(passes(result(berthAtMost(5), [5], []))).toBe(true);
  expect(passes(result(atMost(0.5), [1], []))).toBeUndefined();
});

test("runs alternate, warm-ups are not counted, a failing side leaves the other its values", async () => {
  const order: string[] = [];
  const group: Group = {
    name: "g",
    metrics: [{ name: "m", unit: "ms", better: "lower" }],
    runs: 2,
    warmup: 1,
    run: async (target, round) => {
      order.push(`${target.side} ${round}`);
      if (target.side === "docker") throw new Error("no such thing");
      return { m: 10 + round };
    },
  };
  const targets = [{ side: "berth" }, { side: "docker" }] as unknown as Target[];
  const results = await measure(group, targets, options);
  expect(order).toEqual(["docker -1", "berth -1", "berth 0", "docker 0", "docker 1", "berth 1"]);
  expect(results[0]?.sides.berth?.values).toEqual([10, 11]);
  expect(failures(results)).toEqual(["m failed on docker: no such thing"]);
});

test("a metric that the run forgets is a failure of the bench, not a number", async () => {
  const group: Group = {
    name: "g",
    metrics: [{ name: "m", unit: "ms", better: "lower" }],
    runs: 1,
    warmup: 0,
    run: async () => ({}),
  };
  const [only] = await measure(group, [{ side: "berth" } as Target], options);
  expect(only?.sides.berth?.values).toEqual([]);
  expect(only?.sides.berth?.failures).toEqual(["the run gave no m"]);
});
