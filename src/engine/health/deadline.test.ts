import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LONGEST_TIMER } from "#lib/time.ts";
import { Deadline } from "./deadline.ts";

let folder: string;
let pidFile: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-deadline-"));
  pidFile = join(folder, "pid");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("a probe's time begins when the runtime has it running", async () => {
  const late = Promise.withResolvers<void>();
  const deadline = new Deadline(pidFile, 60);
  const before = performance.now();
  deadline.start(late.resolve);
  await Bun.sleep(150);
  expect(deadline.passed).toBeUndefined();
  writeFileSync(pidFile, "1");
  await late.promise;
  expect(deadline.passed).toBe("run");
  expect(performance.now() - before).toBeGreaterThanOrEqual(200);
});

test("a runtime that does not start the probe is late too", async () => {
  const late = Promise.withResolvers<void>();
  const deadline = new Deadline(pidFile, 60_000, 30);
  deadline.start(late.resolve);
  await late.promise;
  expect(deadline.passed).toBe("start");
});

test("no timer is set beyond what timers can hold, and none after the end", async () => {
  using timers = spyOn(globalThis, "setTimeout");
  writeFileSync(pidFile, "1");
  for (const timeout of [1, 40 * 24 * 3600 * 1000]) {
    const deadline = new Deadline(pidFile, timeout, 5);
    deadline.start(() => {});
    await Bun.sleep(20);
    deadline.end();
    expect(deadline.passed).toBe(timeout === 1 ? "run" : undefined);
  }
  const delays = timers.mock.calls.map(([, delay]) => Number(delay));
  expect(delays.length).toBeLessThanOrEqual(3);
  expect(Math.max(...delays)).toBeLessThanOrEqual(LONGEST_TIMER);
});
