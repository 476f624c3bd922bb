/** Restart policies, with Docker's back-off (100 ms, doubled each time). */
import { expect, test } from "bun:test";
import { startEngine } from "./harness/engine.ts";
import { until } from "./harness/process.ts";

test("on-failure restarts up to its count and keeps the last exit code", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "echo try; exit 3"], {
    HostConfig: { RestartPolicy: { Name: "on-failure", MaximumRetryCount: 2 } },
  });
  await until("it gave up", async () => {
    const { RestartCount, State } = await box.inspect();
    return RestartCount === 2 && State.Status === "exited";
  });
  expect((await box.logs()).stdout).toBe("try\ntry\ntry\n");
  expect((await box.inspect()).State.ExitCode).toBe(3);
});

test("on-failure leaves a success alone", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["true"], {
    HostConfig: { RestartPolicy: { Name: "on-failure", MaximumRetryCount: 0 } },
  });
  await until("it ended", async () => (await box.inspect()).State.Status === "exited");
  expect((await box.inspect()).RestartCount).toBe(0);
});

test("always restarts what ends by itself, not what was stopped", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "echo up; sleep 600"], {
    HostConfig: { RestartPolicy: { Name: "always", MaximumRetryCount: 0 } },
  });
  const first = (await box.inspect()).State.Pid;
  process.kill(first, "SIGKILL");
  await until("it is up again", async () => {
    const { Running, Pid } = (await box.inspect()).State;
    return Running && Pid !== first;
  });
  await box.stop(0);
  expect((await box.inspect()).State.Status).toBe("exited");
  // A policy that were going to act would have done so 100 ms after the exit.
  await Bun.sleep(500);
  expect((await box.inspect()).State.Status).toBe("exited");
});

test("while it waits for the next try, it is restarting, and stop ends that", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["false"], { HostConfig: { RestartPolicy: { Name: "always", MaximumRetryCount: 0 } } });
  await until("it waits", async () => (await box.inspect()).State.Status === "restarting");
  await box.stop(0);
  expect((await box.inspect()).State).toMatchObject({ Status: "exited", Restarting: false });
});

test("a new daemon starts `always` again, and leaves `unless-stopped` stopped if a user stopped it", async () => {
  await using engine = await startEngine();
  const start = (name: "always" | "unless-stopped") =>
    engine.run(["sleep", "600"], { HostConfig: { RestartPolicy: { Name: name, MaximumRetryCount: 0 } } });
  const always = await start("always");
  const unless = await start("unless-stopped");
  await always.stop(0);
  await unless.stop(0);
  await engine.restart();
  await until("always runs", async () => (await always.inspect()).State.Running);
  expect((await unless.inspect()).State.Running).toBe(false);
});
