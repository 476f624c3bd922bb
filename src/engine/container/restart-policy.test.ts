import { expect, test } from "bun:test";
import { initialState } from "./record.ts";
import { nextDelay, shouldRestart, shouldStartWithDaemon } from "./restart-policy.ts";

const exited = { ...initialState(), status: "exited" as const };

test("follows Docker's policies", () => {
  expect(shouldRestart({ Name: "no", MaximumRetryCount: 0 }, exited)).toBe(false);
  expect(shouldRestart({ Name: "always", MaximumRetryCount: 0 }, exited)).toBe(true);
  expect(shouldRestart({ Name: "always", MaximumRetryCount: 0 }, { ...exited, stoppedByUser: true })).toBe(false);
  const onFailure = { Name: "on-failure" as const, MaximumRetryCount: 2 };
  expect(shouldRestart(onFailure, exited)).toBe(false);
  expect(shouldRestart(onFailure, { ...exited, exitCode: 1, restartCount: 1 })).toBe(true);
  expect(shouldRestart(onFailure, { ...exited, exitCode: 1, restartCount: 2 })).toBe(false);
});

test("a starting daemon brings up always, but unless-stopped only where nobody stopped it", () => {
  const stopped = { ...exited, stoppedByUser: true };
  expect(shouldStartWithDaemon({ Name: "always", MaximumRetryCount: 0 }, stopped)).toBe(true);
  expect(shouldStartWithDaemon({ Name: "unless-stopped", MaximumRetryCount: 0 }, stopped)).toBe(false);
  expect(shouldStartWithDaemon({ Name: "always", MaximumRetryCount: 0 }, initialState())).toBe(false);
  // A restart that was due when the last daemon died was counted already.
  const due = { ...initialState(), status: "restarting" as const, exitCode: 1, restartCount: 2 };
  expect(shouldStartWithDaemon({ Name: "on-failure", MaximumRetryCount: 2 }, due)).toBe(true);
});

test("doubles the delay up to a minute and starts anew after a steady run", () => {
  expect([0, 100, 200, 40_000].map((delay) => nextDelay(delay, 0))).toEqual([100, 200, 400, 60_000]);
  expect(nextDelay(6400, 11_000)).toBe(100);
});
