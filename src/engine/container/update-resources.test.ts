import { expect, test } from "bun:test";
import { askedResources, asksForLimits, changedResources, mergeResources } from "./update-resources.ts";

const base = { ...askedResources({}), MemorySwap: 200, Memory: 100, CpuPeriod: 50_000, CpuQuota: 20_000 };

test("zero and null leave a limit as it is", () => {
  const asked = askedResources({ Memory: 0, CpusetCpus: "", PidsLimit: null });
  expect(asksForLimits(asked)).toBe(false);
  expect(mergeResources(base, asked)).toEqual(base);
  expect(asksForLimits(askedResources({ PidsLimit: 0 }))).toBe(true);
});

test("the runtime hears of every controller that is touched, in full, and of no other", () => {
  const told = (body: Parameters<typeof askedResources>[0]) => {
    const asked = askedResources(body);
    return changedResources(mergeResources({ ...base, PidsLimit: 9 }, asked), asked);
  };
  expect(told({ CpuQuota: 30_000 })).toEqual({ devices: [], cpu: { quota: 30_000, period: 50_000 } });
  expect(told({ CpuQuota: -1 })).toEqual({ devices: [], cpu: { period: 50_000 } });
  expect(told({ MemorySwap: 300 })).toEqual({ devices: [], memory: { limit: 100, swap: 300 } });
  expect(told({ PidsLimit: 5 })).toEqual({ devices: [], pids: { limit: 5 } });
  expect(told({ PidsLimit: 0 })).toEqual({ devices: [] });
});

test("limits that exclude each other are refused", () => {
  const merge = (body: Parameters<typeof askedResources>[0]) => () => mergeResources(base, askedResources(body));
  expect(merge({ NanoCpus: 1e9 })).toThrow("Nano CPUs cannot be updated as CPU Period has already been set");
  expect(merge({ Memory: 201 })).toThrow("update the memoryswap at the same time");
  expect(merge({ Memory: 200 })()).toMatchObject({ Memory: 200, MemorySwap: 200 });
});
