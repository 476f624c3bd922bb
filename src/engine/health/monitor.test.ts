import { expect, test } from "bun:test";
import type { Health } from "#api/types/container.ts";
import { type Clock, HealthMonitor, type ProbeOutcome } from "./monitor.ts";
import { begun } from "./state.ts";

const plan = { command: ["check"], interval: 1000, timeout: 500, startPeriod: 0, startInterval: 100, retries: 2 };

class FakeClock implements Clock {
  milliseconds = 1_700_000_000_000;
  due: { at: number; work: () => void }[] = [];

  now(): bigint {
    return BigInt(this.milliseconds) * 1_000_000n;
  }

  after(milliseconds: number, work: () => void): () => void {
    const entry = { at: this.milliseconds + milliseconds, work };
    this.due.push(entry);
    return () => {
      this.due = this.due.filter((one) => one !== entry);
    };
  }

  /** To the next timer; how long it was. */
  next(): number {
    const entry = this.due.toSorted((a, b) => a.at - b.at)[0];
    if (entry === undefined) throw new Error("no timer is set");
    this.due = this.due.filter((one) => one !== entry);
    const passed = entry.at - this.milliseconds;
    this.milliseconds = entry.at;
    entry.work();
    return passed;
  }
}

function setUp(health: Health = begun(undefined)) {
  const clock = new FakeClock();
  const probes: { signal: AbortSignal; end: (outcome: ProbeOutcome) => Promise<void>; fail: () => Promise<void> }[] =
    [];
  const told: Health[] = [];
  const silent: Health[] = [];
  const settled = async () => {
    for (let turns = 0; turns < 10; turns++) await Promise.resolve();
  };
  const monitor = new HealthMonitor(
    {
      plan,
      startedAt: clock.now(),
      health,
      probe: (signal) => {
        const { promise, resolve, reject } = Promise.withResolvers<ProbeOutcome>();
        probes.push({
          signal,
          end: (outcome) => (resolve(outcome), settled()),
          fail: () => (reject(new Error("no such program")), settled()),
        });
        return promise;
      },
      probed: (after) => told.push(after),
      unwatched: (after) => silent.push(after),
    },
    clock,
  );
  const last = () => probes.at(-1) as (typeof probes)[number];
  return { clock, monitor, probes, told, silent, last };
}

test("the interval counts from the end of a probe, and there is never a second one", async () => {
  const { clock, monitor, probes, told, last } = setUp();
  monitor.watch();
  monitor.watch();
  expect(clock.next()).toBe(1000);
  expect(probes).toHaveLength(1);
  expect(clock.due).toEqual([]);
  clock.milliseconds += 400;
  await last().end({ exitCode: 0, output: "fine" });
  const { Start, End } = told[0]?.Log[0] ?? { Start: "", End: "" };
  expect(Date.parse(End) - Date.parse(Start)).toBe(400);
  expect(told[0]).toMatchObject({ Status: "healthy", Log: [{ ExitCode: 0, Output: "fine" }] });
  expect(clock.next()).toBe(1000);
  expect(probes).toHaveLength(2);
});

test("a probe that cannot run is a failure with the reason as output", async () => {
  const { clock, monitor, told, last } = setUp();
  monitor.watch();
  clock.next();
  await last().fail();
  expect(told[0]).toMatchObject({ Status: "starting", Log: [{ ExitCode: -1, Output: "no such program" }] });
  clock.next();
  await last().fail();
  expect(told[1]).toMatchObject({ Status: "unhealthy", FailingStreak: 2 });
});

test("once nobody watches, a running probe is broken off and its result counts for nothing", async () => {
  const { clock, monitor, told, silent, last, probes } = setUp();
  monitor.watch();
  clock.next();
  await last().end({ exitCode: 0, output: "" });
  clock.next();
  monitor.unwatch();
  monitor.unwatch();
  expect(last().signal.aborted).toBe(true);
  expect(silent).toMatchObject([{ Status: "unhealthy" }]);
  await last().end({ exitCode: 1, output: "" });
  expect(told).toHaveLength(1);
  expect(clock.due).toEqual([]);
  monitor.watch();
  expect(clock.next()).toBe(1000);
  expect(probes).toHaveLength(3);
  await last().end({ exitCode: 0, output: "" });
  expect(told.at(-1)).toMatchObject({ Status: "healthy" });
});

test("close leaves the health as it is and waits for the probe", async () => {
  const { clock, monitor, silent, last } = setUp();
  monitor.watch();
  clock.next();
  let closed = false;
  const closing = monitor.close().then(() => (closed = true));
  await Promise.resolve();
  expect(closed).toBe(false);
  await last().end({ exitCode: 0, output: "" });
  await closing;
  expect(silent).toEqual([]);
  expect(clock.due).toEqual([]);
});

test("what another daemon watched is probed when it was due", () => {
  const { clock, monitor } = setUp();
  clock.milliseconds += 300;
  monitor.takeOver(0.5);
  expect(clock.next()).toBe(700);
});
