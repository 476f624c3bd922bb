/** Health checks: states, log, events, and the restart of what is unhealthy. */
import { expect, test } from "bun:test";
import Docker from "dockerode";
import { startEngine } from "./harness/engine.ts";
import { becomes, fileCheck, health, story } from "./harness/health.ts";
import { busyboxLayer, dockerArchive, testImage } from "./harness/image.ts";
import { run, until } from "./harness/process.ts";

const MILLISECOND = 1e6;
const installed = Bun.which("docker") !== null;

test("a container goes from starting to unhealthy to healthy, in inspect, ps, filters and events", async () => {
  await using engine = await startEngine();
  const box = await engine.create(["sleep", "600"], fileCheck());
  expect((await box.inspect()).State.Health).toBeUndefined();
  await box.start();
  expect(await health(box)).toEqual({ Status: "starting", FailingStreak: 0, Log: [] });
  const status = async (filter: string) => {
    const filters = encodeURIComponent(JSON.stringify({ health: [filter] }));
    return (await engine.wire.json<{ Status: string }[]>("GET", `/containers/json?filters=${filters}`)).map(
      ({ Status }) => /\(.*/.exec(Status)?.[0] ?? "",
    );
  };
  const { FailingStreak, Log } = await becomes(box, "unhealthy");
  expect(FailingStreak).toBeGreaterThanOrEqual(2);
  expect(Log.length).toBeGreaterThanOrEqual(2);
  expect(Log[0]).toMatchObject({ ExitCode: 1, Output: "looked\n" });
  expect(Date.parse(Log[0]?.End ?? "")).toBeGreaterThanOrEqual(Date.parse(Log[0]?.Start ?? ""));
  expect(await status("unhealthy")).toEqual(["(unhealthy)"]);
  expect(await status("healthy")).toEqual([]);
  await box.exec(["touch", "/healthy"]);
  expect((await becomes(box, "healthy")).FailingStreak).toBe(0);
  expect(await status("healthy")).toEqual(["(healthy)"]);
  await until("five results are kept", async () => (await health(box)).Log.every(({ ExitCode }) => ExitCode === 0));
  expect((await health(box)).Log).toHaveLength(5);
  await box.stop(0);
  expect((await box.inspect()).State.Health).toMatchObject({ Status: "unhealthy" });
  expect((await story(engine, box)).filter((action) => action.startsWith("health_status"))).toEqual([
    "health_status: unhealthy",
    "health_status: healthy",
  ]);
  await box.start();
  expect(await health(box)).toMatchObject({ Status: "starting", FailingStreak: 0 });
});

test("an image's check is inherited field by field, and NONE ends it", async () => {
  await using engine = await startEngine({ image: false });
  const Healthcheck = { Test: ["CMD", "true"], Interval: 50 * MILLISECOND, Retries: 7 };
  const config = { Healthcheck };
  await engine.load(dockerArchive({ tags: [testImage], layers: [await busyboxLayer()], config }));
  const box = await engine.run(["sleep", "600"], { Healthcheck: { Timeout: 1e9, Retries: 2 } });
  expect((await box.inspect()).Config.Healthcheck).toEqual({ ...Healthcheck, Timeout: 1e9, Retries: 2 });
  await becomes(box, "healthy");
  const none = await engine.run(["sleep", "600"], { Healthcheck: { Test: ["NONE"] } });
  const { State, Config } = await none.inspect();
  expect(State.Health).toBeUndefined();
  expect(Config.Healthcheck?.Test).toEqual(["NONE"]);
  const refusals: [object, string][] = [
    [{ Interval: 1 }, "Interval in Healthcheck cannot be less than 1ms"],
    [{ Timeout: -1 }, "Timeout in Healthcheck cannot be less than 1ms"],
    [{ StartPeriod: 1 }, "StartPeriod in Healthcheck cannot be less than 1ms"],
    [{ StartInterval: 1 }, "StartInterval in Healthcheck cannot be less than 1ms"],
    [{ Retries: -1 }, "Retries in Healthcheck cannot be negative"],
  ];
  for (const [wrong, message] of refusals) {
    await expect(engine.create(["true"], { Healthcheck: wrong })).rejects.toMatchObject({ status: 400, message });
  }
});

test("a probe that takes too long is killed with all it started; one that cannot run says why", async () => {
  await using engine = await startEngine();
  const slow = await engine.run(["sleep", "600"], {
    Healthcheck: {
      Test: ["CMD-SHELL", "echo part; sleep 61 & sleep 62; echo never"],
      Interval: 50 * MILLISECOND,
      Timeout: 300 * MILLISECOND,
      Retries: 1,
    },
  });
  const missing = await engine.run(["sleep", "600"], {
    Healthcheck: { Test: ["CMD", "no-such-program"], Interval: 50 * MILLISECOND, Retries: 1 },
  });
  const noisy = await engine.run(["sleep", "600"], {
    Healthcheck: { Test: ["CMD-SHELL", "yes | head -c 100000; exit 3"], Interval: 50 * MILLISECOND, Retries: 1 },
  });
  const { Log } = await becomes(slow, "unhealthy");
  expect(Log[0]).toMatchObject({ ExitCode: -1, Output: "Health check exceeded timeout (300ms): part\n" });
  const ran = Date.parse(Log[0]?.End ?? "") - Date.parse(Log[0]?.Start ?? "");
  expect(ran).toBeGreaterThanOrEqual(290);
  expect((await becomes(missing, "unhealthy")).Log[0]).toMatchObject({
    ExitCode: -1,
    Output:
      'OCI runtime exec failed: exec failed: unable to start container process: exec: "no-such-program": ' +
      "executable file not found in $PATH: unknown",
  });
  expect((await becomes(noisy, "unhealthy")).Log[0]).toMatchObject({
    ExitCode: 3,
    Output: `${"y\n".repeat(2048)}...`,
  });
  const running = async () => {
    const query = `ps_args=${encodeURIComponent("-eo pid,args")}`;
    const { Processes } = await engine.wire.json<{ Processes: string[][] }>(
      "GET",
      `/containers/${slow.id}/top?${query}`,
    );
    return Processes.filter((line) => line.at(-1) === "sleep 61").length;
  };
  await until("some more were killed", async () => (await health(slow)).Log.length === 5);
  await until("one runs", async () => (await running()) > 0);
  expect(await running()).toBeLessThanOrEqual(1);
});

test("failures of the start period do not count, and the start interval holds in it", async () => {
  await using engine = await startEngine();
  const times = { Interval: 60e9, StartPeriod: 60e9, StartInterval: 50 * MILLISECOND, Retries: 1 };
  const box = await engine.run(["sleep", "600"], fileCheck(times));
  await until("three probes failed", async () => (await health(box)).Log.length >= 3);
  expect(await health(box)).toMatchObject({ Status: "starting", FailingStreak: 0 });
  await box.exec(["touch", "/healthy"]);
  const { Log } = await becomes(box, "healthy");
  const ends = Log.map(({ End }) => Date.parse(End));
  expect((ends.at(-1) ?? 0) - (ends[0] ?? 0)).toBeLessThan(10_000);
});

test("no probe runs while a container is paused", async () => {
  await using engine = await startEngine();
  const Test = ["CMD-SHELL", "echo x >> /probes; sleep 0.2"];
  const box = await engine.run(["sleep", "600"], { Healthcheck: { Test, Interval: 50 * MILLISECOND } });
  await becomes(box, "healthy");
  await engine.wire.bytes("POST", `/containers/${box.id}/pause`);
  // As Docker says it of whom nobody looks after.
  const paused = await health(box);
  expect(paused.Status).toBe("unhealthy");
  await Bun.sleep(600);
  expect(await health(box)).toEqual(paused);
  await engine.wire.bytes("POST", `/containers/${box.id}/unpause`);
  await becomes(box, "healthy");
  expect((await box.exec(["ps", "-o", "args"])).stdout.split("sleep 0.2").length).toBeLessThanOrEqual(2);
});

test("on-unhealthy ends and restarts an unhealthy container as often as it may", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "trap 'exit 0' TERM; echo up; while :; do usleep 20000; done"], {
    ...fileCheck(),
    HostConfig: { RestartPolicy: { Name: "on-unhealthy", MaximumRetryCount: 2 } },
  });
  await until("it was restarted twice", async () => (await box.inspect()).RestartCount === 2);
  await until("it runs on, unhealthy", async () => {
    const { State } = await box.inspect();
    return State.Running && State.Health?.Status === "unhealthy" && State.Health.FailingStreak > 3;
  });
  expect((await box.logs()).stdout).toBe("up\nup\nup\n");
  const round = ["health_status: unhealthy", "kill", "die", "start"];
  expect(await story(engine, box)).toEqual(["create", "start", ...round, ...round, "health_status: unhealthy"]);
});

test("a healthy exit is not for on-unhealthy, a user's stop is final, and +unhealthy adds to Docker's policies", async () => {
  await using engine = await startEngine();
  const policy = (Name: "on-unhealthy" | "on-failure+unhealthy", MaximumRetryCount = 0) => ({
    ...fileCheck(),
    HostConfig: { RestartPolicy: { Name, MaximumRetryCount } },
  });
  const failing = await engine.run(["sh", "-c", "exit 3"], policy("on-unhealthy"));
  const both = await engine.run(["sh", "-c", "test -f /once || { touch /once; exit 3; }; exec sleep 600"], {
    ...policy("on-failure+unhealthy", 2),
    StopTimeout: 0,
  });
  const stopped = await engine.run(["sleep", "600"], { ...policy("on-unhealthy"), StopTimeout: 600 });
  await until("it is being ended", async () => (await story(engine, stopped)).includes("kill"));
  await stopped.stop(0);
  await until("a failure and an unhealthy run counted", async () => (await both.inspect()).RestartCount === 2);
  await becomes(both, "unhealthy");
  expect((await both.inspect()).State.Running).toBe(true);
  expect((await failing.inspect()).State).toMatchObject({ Status: "exited", ExitCode: 3 });
  expect((await stopped.inspect()).State).toMatchObject({ Status: "exited", ExitCode: 137 });
  expect((await stopped.inspect()).RestartCount).toBe(0);
});

test("a policy that looks at a health that is not there is warned about", async () => {
  await using engine = await startEngine();
  const create = (body: object) =>
    engine.wire.json<{ Warnings: string[] }>("POST", "/containers/create", { Image: testImage, ...body });
  const HostConfig = { RestartPolicy: { Name: "on-unhealthy" } };
  expect((await create({ HostConfig })).Warnings).toEqual([
    "The restart policy 'on-unhealthy' looks at the health of the container, which has no health check.",
  ]);
  expect((await create({ HostConfig, ...fileCheck() })).Warnings).toEqual([]);
  const wrong = { RestartPolicy: { Name: "always+unhealthy", MaximumRetryCount: 1 } };
  await expect(create({ HostConfig: wrong })).rejects.toMatchObject({ status: 400 });
});

test("dockerode hears of probes and health as they happen", async () => {
  await using engine = await startEngine();
  const docker = new Docker({ socketPath: engine.socket });
  const container = await docker.createContainer({ Image: testImage, Cmd: ["sleep", "600"], ...fileCheck() });
  const events = (await docker.getEvents({
    filters: { container: [container.id], event: ["health_status", "exec_create", "exec_start", "exec_die"] },
  })) as NodeJS.ReadableStream & { destroy(): void };
  const seen: string[] = [];
  events.on("data", (chunk: Buffer) => {
    for (const line of chunk.toString().split("\n")) {
      if (line !== "") seen.push((JSON.parse(line) as { Action: string }).Action);
    }
  });
  await container.start();
  await until("it is unhealthy", () => seen.includes("health_status: unhealthy"));
  events.destroy();
  const probe = [
    "exec_create: /bin/sh -c echo looked; test -f /healthy",
    "exec_start: /bin/sh -c echo looked; test -f /healthy",
    "exec_die",
  ];
  expect(seen.slice(0, 7)).toEqual([...probe, ...probe, "health_status: unhealthy"]);
  expect((await container.inspect()).State.Health?.Status).toBe("unhealthy");
});

test.skipIf(!installed)(
  `docker run --health-cmd, ps, inspect and a restart policy of Berth's own${installed ? "" : " (skipped: no docker CLI on this machine)"}`,
  async () => {
    await using engine = await startEngine();
    const docker = async (...words: string[]) => {
      const { code, stdout, stderr } = await engine.docker(words);
      if (code !== 0) throw new Error(`docker ${words.join(" ")}: exit code ${code}: ${stderr}`);
      return stdout.trim();
    };
    const options = ["--health-cmd", "true", "--health-interval", "100ms", "--restart", "on-unhealthy:3"];
    await docker("run", "-d", "--name", "checked", ...options, testImage, "sleep", "600");
    expect(await docker("inspect", "-f", "{{.HostConfig.RestartPolicy.Name}}", "checked")).toBe("on-unhealthy");
    await until(
      "it is healthy",
      async () => (await docker("inspect", "-f", "{{.State.Health.Status}}", "checked")) === "healthy",
    );
    expect(await docker("ps", "--filter", "health=healthy", "--format", "{{.Names}} {{.Status}}")).toMatch(
      /^checked Up .* \(healthy\)$/,
    );
    const own = await run([...engine.program, "ps", "--format", "{{.Names}} {{.Status}}"], {
      env: { BERTH_HOST: `unix://${engine.socket}` },
    });
    expect(own.stdout).toMatch(/^checked Up .* \(healthy\)\n$/);
  },
);
