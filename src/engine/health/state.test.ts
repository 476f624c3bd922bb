import { expect, test } from "bun:test";
import type { Health, HealthcheckResult } from "#api/types/container.ts";
import { formatTime } from "#lib/time.ts";
import { healthPlan } from "./plan.ts";
import { begun, probeDelay, probed, resumedDelay, unwatched } from "./state.ts";

const second = 1_000_000_000n;
const started = 1_700_000_000n * second;
const plan = {
  command: ["check"],
  interval: 30_000,
  timeout: 1000,
  startPeriod: 10_000,
  startInterval: 2000,
  retries: 3,
};

function result(ExitCode: number, at: bigint, Output = ""): HealthcheckResult {
  return { Start: formatTime(started + at), End: formatTime(started + at), ExitCode, Output };
}

function after(health: Health, ...results: HealthcheckResult[]): Health {
  return results.reduce((state, one) => probed(state, plan, one, started), health);
}

test("a check of an image or a client becomes a plan with Docker's defaults", () => {
  const base = { Healthcheck: null } as Parameters<typeof healthPlan>[0];
  expect(healthPlan(base)).toBeUndefined();
  expect(healthPlan({ ...base, Healthcheck: { Test: ["NONE"], Interval: 5 } })).toBeUndefined();
  expect(healthPlan({ ...base, Healthcheck: { Test: ["OTHER", "x"] } })).toBeUndefined();
  expect(healthPlan({ ...base, Healthcheck: { Test: ["CMD", "a", "b"] } })).toEqual({
    command: ["a", "b"],
    interval: 30_000,
    timeout: 30_000,
    startPeriod: 0,
    startInterval: 5000,
    retries: 3,
  });
  const shell = { Test: ["CMD-SHELL", "a b"], Interval: 1.5e9, Timeout: 1e6, StartPeriod: 2e9, Retries: 1 };
  expect(healthPlan({ ...base, Healthcheck: shell, Shell: ["/bin/bash", "-ec"] })).toEqual({
    command: ["/bin/bash", "-ec", "a b"],
    interval: 1500,
    timeout: 1,
    startPeriod: 2000,
    startInterval: 5000,
    retries: 1,
  });
});

test("failures in a row make it unhealthy, one success makes it healthy at once", () => {
  let health = begun(undefined);
  health = after(health, result(0, 1n * second));
  expect(health).toMatchObject({ Status: "healthy", FailingStreak: 0 });
  health = after(health, result(1, 40n * second), result(-1, 70n * second));
  expect(health).toMatchObject({ Status: "healthy", FailingStreak: 2 });
  health = after(health, result(2, 100n * second), result(2, 130n * second));
  expect(health).toMatchObject({ Status: "unhealthy", FailingStreak: 4 });
  expect(after(health, result(0, 160n * second))).toMatchObject({ Status: "healthy", FailingStreak: 0 });
});

test("failures of the start period do not count until the first success", () => {
  const failures = [1n, 3n, 5n, 7n, 9n].map((at) => result(1, at * second));
  const health = after(begun(undefined), ...failures);
  expect(health).toMatchObject({ Status: "starting", FailingStreak: 0 });
  expect(after(health, result(1, 10n * second))).toMatchObject({ Status: "starting", FailingStreak: 1 });
  const late = [10n, 11n, 12n].map((at) => result(1, at * second));
  expect(after(health, ...late)).toMatchObject({ Status: "unhealthy", FailingStreak: 3 });
  const early = after(begun(undefined), result(0, 1n * second), ...failures.slice(1, 4));
  expect(early).toMatchObject({ Status: "unhealthy", FailingStreak: 3 });
});

test("the last five results stay, also over a restart", () => {
  const results = [1, 2, 3, 4, 5, 6, 7].map((number) => result(0, BigInt(number) * second, String(number)));
  const health = after(begun(undefined), ...results);
  expect(health.Log.map(({ Output }) => Output)).toEqual(["3", "4", "5", "6", "7"]);
  expect(begun(unwatched(health))).toEqual({ Status: "starting", FailingStreak: 0, Log: health.Log });
  expect(unwatched(health)).toEqual({ ...health, Status: "unhealthy" });
});

test("the start interval holds during the start period until the first success", () => {
  const health = begun(undefined);
  expect(probeDelay(health, plan, 0)).toBe(2000);
  expect(probeDelay(health, plan, 9999)).toBe(2000);
  expect(probeDelay(health, plan, 10_000)).toBe(30_000);
  expect(probeDelay(after(health, result(0, second)), plan, 2000)).toBe(30_000);
  expect(probeDelay(health, { ...plan, startPeriod: 0 }, 0)).toBe(30_000);
});

test("a new daemon goes on where the last one stood, and spreads what is overdue", () => {
  const health = after(begun(undefined), result(0, 100n * second));
  expect(resumedDelay(health, plan, started, started + 110n * second, 0.5)).toBe(20_000);
  expect(resumedDelay(health, plan, started, started + 500n * second, 0.5)).toBe(1000);
  // Results of an earlier run say nothing about this one.
  const fresh = begun(after(begun(undefined), result(0, -50n * second)));
  expect(resumedDelay(fresh, plan, started, started + 1n * second, 0.5)).toBe(1000);
});
