import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import { Housekeeping } from "./housekeeping.ts";

const MIB = 1024 * 1024;

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

const restless = { sleep: () => {}, wake: () => {} };

/** What a housekeeping does about memory, of which there is as much as the test says. */
function testMemory() {
  const told: string[] = [];
  const memory = {
    bytes: 60 * MIB,
    resident: () => memory.bytes,
    collect: () => void told.push("collect"),
    shrink: () => void told.push("shrink"),
  };
  return { memory, told };
}

/** Requests one after the other for so many milliseconds. */
function serve(housekeeping: Housekeeping, milliseconds: number): void {
  for (let passed = 0; passed < milliseconds; passed += 100) {
    housekeeping.touch();
    jest.advanceTimersByTime(100);
  }
}

test("what runs for those to come runs while somebody comes, and sleeps after five quiet minutes", () => {
  const told: string[] = [];
  using housekeeping = new Housekeeping(
    { sleep: () => told.push("sleep"), wake: () => told.push("wake") },
    testMemory().memory,
  );
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
});

test("memory shrinks after ten quiet seconds, each time", () => {
  const { memory, told } = testMemory();
  using housekeeping = new Housekeeping(restless, memory);
  housekeeping.started();
  jest.advanceTimersByTime(9000);
  expect(told).toEqual([]);
  jest.advanceTimersByTime(2000);
  expect(told).toEqual(["shrink"]);
  housekeeping.touch();
  jest.advanceTimersByTime(9000);
  expect(told).toEqual(["shrink"]);
  jest.advanceTimersByTime(2000);
  expect(told).toEqual(["shrink", "shrink"]);
});

test("while requests come, garbage goes whenever memory has grown by 5 MiB", () => {
  const { memory, told } = testMemory();
  using housekeeping = new Housekeeping(restless, memory);
  serve(housekeeping, 3000);
  memory.bytes += 4 * MIB;
  serve(housekeeping, 3000);
  expect(told).toEqual([]);
  memory.bytes += 2 * MIB;
  serve(housekeeping, 1000);
  expect(told).toEqual(["collect"]);
  // What was no garbage stays, and is no reason to look for any.
  serve(housekeeping, 5000);
  expect(told).toEqual(["collect"]);
  memory.bytes += 6 * MIB;
  serve(housekeeping, 1000);
  expect(told).toEqual(["collect", "collect"]);
});

test("garbage holds up no requests in the first two seconds, nor more often than that", () => {
  const { memory, told } = testMemory();
  using housekeeping = new Housekeeping(restless, memory);
  serve(housekeeping, 500);
  memory.bytes += 40 * MIB;
  serve(housekeeping, 1000);
  expect(told).toEqual([]);
  serve(housekeeping, 1000);
  expect(told).toEqual(["collect"]);
  memory.bytes -= 30 * MIB;
  serve(housekeeping, 300);
  memory.bytes += 40 * MIB;
  serve(housekeeping, 700);
  expect(told).toEqual(["collect"]);
  serve(housekeeping, 1500);
  expect(told).toEqual(["collect", "collect"]);
});

test("in a pause, garbage goes where memory has grown by 2 MiB since the request that ended the last one", () => {
  const { memory, told } = testMemory();
  using housekeeping = new Housekeeping(restless, memory);
  housekeeping.touch();
  memory.bytes += MIB;
  jest.advanceTimersByTime(2000);
  expect(told).toEqual([]);
  housekeeping.touch();
  memory.bytes += 2 * MIB;
  jest.advanceTimersByTime(900);
  expect(told).toEqual([]);
  jest.advanceTimersByTime(200);
  expect(told).toEqual(["collect"]);
});
