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

test("each restart waits twice as long as the one before, and events and count tell of them", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["false"], {
    HostConfig: { RestartPolicy: { Name: "on-failure", MaximumRetryCount: 3 } },
  });
  await until("it gave up", async () => {
    const { RestartCount, State } = await box.inspect();
    return RestartCount === 3 && State.Status === "exited";
  });
  const filters = encodeURIComponent(JSON.stringify({ container: [box.id], event: ["die", "start"] }));
  const events = new TextDecoder()
    .decode(await engine.wire.bytes("GET", `/events?since=1&until=${Date.now() / 1000}&filters=${filters}`))
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { Action: string; timeNano: number });
  expect(events.map(({ Action }) => Action)).toEqual(["start", "die", "start", "die", "start", "die", "start", "die"]);
  for (const [at, delay] of [100, 200, 400].entries()) {
    const waited = ((events[2 * at + 2]?.timeNano ?? 0) - (events[2 * at + 1]?.timeNano ?? 0)) / 1e6;
    // What the start itself takes comes on top.
    expect(waited).toBeGreaterThanOrEqual(delay - 5);
    expect(waited).toBeLessThan(2 * delay + 1000);
  }
});

test("a user's start and restart count anew", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "echo try; exit 3"], {
    HostConfig: { RestartPolicy: { Name: "on-failure", MaximumRetryCount: 1 } },
  });
  const tries = async (count: number) => {
    await until(`it tried ${count} times`, async () => (await box.logs()).stdout === "try\n".repeat(count));
    await until("it gave up", async () => (await box.inspect()).State.Status === "exited");
    expect((await box.inspect()).RestartCount).toBe(1);
  };
  await tries(2);
  await box.start();
  await tries(4);
  await engine.wire.bytes("POST", `/containers/${box.id}/restart?t=0`);
  await tries(6);
});

test("for a user, what is restarting runs already: it is not started, paused or counted anew", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "exit 3"], {
    HostConfig: { RestartPolicy: { Name: "on-failure", MaximumRetryCount: 0 } },
  });
  // Long enough a wait to act in.
  await until("it waits", async () => {
    const { State, RestartCount } = await box.inspect();
    return State.Status === "restarting" && RestartCount >= 4;
  });
  expect((await engine.wire.send("POST", `/containers/${box.id}/start`)).status).toBe(304);
  await expect(engine.wire.bytes("POST", `/containers/${box.id}/pause`)).rejects.toMatchObject({
    status: 409,
    message: `Container ${box.id} is restarting, wait until the container is running`,
  });
  expect((await box.inspect()).RestartCount).toBeGreaterThanOrEqual(4);
  await box.stop(0);
});

test("a policy that is changed while the container runs holds from then on", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "trap 'exit 3' USR1; echo up; while :; do usleep 20000; done"]);
  const update = (Name: string, MaximumRetryCount = 0) =>
    engine.wire.json("POST", `/containers/${box.id}/update`, { RestartPolicy: { Name, MaximumRetryCount } });
  await until("the trap is set", async () => (await box.logs()).stdout === "up\n");
  await update("on-failure", 2);
  await box.kill("USR1");
  await until("it came back", async () => (await box.logs()).stdout === "up\nup\n");
  await expect(update("sometimes")).rejects.toMatchObject({ status: 400 });
  await update("on-unhealthy", 1);
  await box.kill("USR1");
  await until("it ended", async () => (await box.inspect()).State.Status === "exited");
  expect((await box.inspect()).HostConfig.RestartPolicy).toEqual({ Name: "on-unhealthy", MaximumRetryCount: 1 });
  expect((await box.inspect()).RestartCount).toBe(1);
});
