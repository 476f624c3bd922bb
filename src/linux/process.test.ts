import { expect, test } from "bun:test";
import { isAlive, signalProcess, startTime } from "./process.ts";

test("tells a process from a later one of the same number, and signals only the right one", async () => {
  const child = Bun.spawn(["sleep", "60"]);
  const started = startTime(child.pid);
  if (started === undefined) throw new Error("the child does not run");
  expect(isAlive(child.pid, started)).toBe(true);
  expect(isAlive(child.pid, started + 1)).toBe(false);
  expect(signalProcess(child.pid, started + 1, 9)).toBe(false);
  expect(signalProcess(child.pid, started, 9)).toBe(true);
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");
  expect(isAlive(child.pid, started)).toBe(false);
  expect(signalProcess(child.pid, started, 9)).toBe(false);
});
