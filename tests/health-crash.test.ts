/** kill -9 of the daemon: health goes on where it stood, no probe stays behind, restarts are brought to their end. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { startEngine } from "./harness/engine.ts";
import { becomes, fileCheck, health, story } from "./harness/health.ts";
import { until } from "./harness/process.ts";

/** Command lines of the host's processes that hold all of `words`. */
function processesWith(...words: string[]): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ");
      } catch {
        return "";
      }
    })
    .filter((line) => words.every((word) => line.includes(word)));
}

test("status, streak and log survive, and probes go on", async () => {
  await using engine = await startEngine();
  const healthy = await engine.run(["sh", "-c", "touch /healthy; exec sleep 600"], fileCheck());
  const failing = await engine.run(["sleep", "600"], fileCheck({ Retries: 1000 }));
  const sick = await engine.run(["sleep", "600"], fileCheck());
  await becomes(healthy, "healthy");
  await becomes(sick, "unhealthy");
  await until("it failed a few times", async () => (await health(failing)).FailingStreak >= 5);
  const { FailingStreak } = await health(failing);
  await engine.kill9();
  await engine.start();
  const [first, second, third] = await Promise.all([healthy, failing, sick].map(health));
  expect(first?.Status).toBe("healthy");
  expect(second?.Status).toBe("starting");
  expect(second?.FailingStreak).toBeGreaterThanOrEqual(FailingStreak);
  expect(third?.Status).toBe("unhealthy");
  expect(third?.Log.length).toBeGreaterThanOrEqual(2);
  const at = third?.Log.at(-1)?.End ?? "";
  await until("it is looked at again", async () => ((await health(sick)).Log.at(-1)?.End ?? "") > at);
  await until("the streak goes on", async () => (await health(failing)).FailingStreak > FailingStreak + 1);
  await sick.exec(["touch", "/healthy"]);
  await becomes(sick, "healthy");
  expect((await story(engine, healthy)).filter((action) => action.startsWith("health_status"))).toHaveLength(1);
});

test("a probe that ran when the daemon died is ended with all it started", async () => {
  await using engine = await startEngine();
  const mark = `${61_000 + Math.floor(Math.random() * 1000)}`;
  const box = await engine.run(["sleep", "600"], {
    Healthcheck: { Test: ["CMD-SHELL", `sleep ${mark} & sleep ${mark}; true`], Interval: 2e8, Timeout: 600e9 },
  });
  await until("the probe runs", () => processesWith("sleep", mark).length >= 3);
  const kept = await box.prepareExec(["sleep", "600"]);
  await engine.wire.bytes("POST", `/exec/${kept}/start`, { body: { Detach: true } });
  await engine.kill9();
  expect(processesWith("probe.json", box.id)).toHaveLength(1);
  await engine.start();
  // The new daemon's own probe comes soon: it is one, not two.
  await until("the next probe runs", () => processesWith("probe.json", box.id).length === 1);
  await until("only its processes do", () => processesWith("sleep", mark).length <= 3);
  expect(await engine.wire.json<{ Running: boolean }>("GET", `/exec/${kept}/json`)).toMatchObject({ Running: true });
  await engine.stop();
  expect(processesWith("sleep", mark)).toEqual([]);
  await engine.start();
});

test("a restart that was begun is brought to its end by the next daemon", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "trap '' TERM; while :; do usleep 20000; done"], {
    ...fileCheck(),
    StopTimeout: 2,
    HostConfig: { RestartPolicy: { Name: "on-unhealthy", MaximumRetryCount: 1 } },
  });
  const { Pid } = (await box.inspect()).State;
  await until("it is being ended", async () => (await story(engine, box)).includes("kill"));
  await engine.kill9();
  await engine.start();
  await until("it is up again", async () => {
    const { State, RestartCount } = await box.inspect();
    return State.Running && State.Pid !== Pid && RestartCount === 1;
  });
  // What unhealthy means now is: it stays, there is no restart left.
  await becomes(box, "unhealthy");
  expect((await box.inspect()).State.Running).toBe(true);
});

test("a container that ended unhealthy while no daemon ran is started again, one that a user stopped is not", async () => {
  await using engine = await startEngine();
  const options = {
    ...fileCheck(),
    StopTimeout: 600,
    HostConfig: { RestartPolicy: { Name: "on-unhealthy" as const, MaximumRetryCount: 0 } },
  };
  const [box, stopped] = await Promise.all([
    engine.run(["sleep", "600"], options),
    engine.run(["sleep", "600"], options),
  ]);
  for (const one of [box, stopped]) {
    await until("it is being ended", async () => (await story(engine, one)).includes("kill"));
  }
  const { Pid } = (await box.inspect()).State;
  await stopped.stop(0);
  await engine.kill9();
  process.kill(Pid, "SIGKILL");
  await engine.start();
  await until(
    "it is up again",
    async () => (await box.inspect()).RestartCount === 1 && (await box.inspect()).State.Running,
  );
  expect((await stopped.inspect()).State.Status).toBe("exited");
});
