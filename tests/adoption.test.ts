/** What a new daemon can do with the containers of one that was killed: all that the old one could. */
import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { Box } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { until } from "./harness/process.ts";

const always = { RestartPolicy: { Name: "always" as const, MaximumRetryCount: 0 } };

test("attach, exec, logs, ports, volumes, kill and stop work on adopted containers", async () => {
  await using engine = await startEngine();
  const web = await engine.run(["httpd", "-f", "-h", "/var/www"], {
    ExposedPorts: { "80/tcp": {} },
    HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "" }] }, Binds: ["kept:/kept"] },
  });
  const echo = await engine.run(["cat"], { OpenStdin: true });
  const ticks = await engine.run(["sh", "-c", "i=0; while :; do echo $i; i=$((i + 1)); usleep 50000; done"]);
  const url = async (): Promise<string> => {
    const bound = (await web.inspect()).NetworkSettings.Ports["80/tcp"]?.[0];
    return `http://127.0.0.1:${bound?.HostPort}/index.html`;
  };
  const before = await url();
  await web.exec(["sh", "-c", "echo kept >/kept/file"]);
  await engine.kill9();
  expect(await (await fetch(before)).text()).toBe("hello from the container\n");
  await engine.start();

  expect(await url()).toBe(before);
  expect(await (await fetch(before)).text()).toBe("hello from the container\n");
  expect(await web.exec(["cat", "/kept/file"])).toMatchObject({ code: 0, stdout: "kept\n" });
  expect(await engine.wire.json("GET", "/volumes/kept")).toMatchObject({ Name: "kept" });
  await expect(engine.wire.bytes("DELETE", "/volumes/kept")).rejects.toMatchObject({ status: 409 });
  using stream = await echo.attach();
  stream.write("there and back\n");
  await stream.until("there and back");
  const followed = await engine.wire.send("GET", `/containers/${ticks.id}/logs?stdout=1&follow=1`);
  const reader = followed.body?.getReader();
  const seen = new TextDecoder().decode((await reader?.read())?.value) + (await ticks.logs()).stdout;
  expect(seen).toContain("0\n");
  const exit = ticks.wait("next-exit");
  await ticks.kill("TERM");
  await ticks.kill();
  expect(await exit).toBe(137);
  while ((await reader?.read())?.done === false);
  await echo.stop(0);
  expect((await echo.inspect()).State).toMatchObject({ Status: "exited", ExitCode: 137 });
});

test("execs that run on are known by their state and their exit code", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  const start = async (command: string): Promise<string> => {
    const id = await box.prepareExec(["sh", "-c", command]);
    await engine.wire.bytes("POST", `/exec/${id}/start`, { body: { Detach: true } });
    return id;
  };
  const inspect = (id: string) => engine.wire.json<{ Running: boolean; ExitCode: number }>("GET", `/exec/${id}/json`);
  const meanwhile = await start("while [ ! -e /go ]; do usleep 10000; done; exit 7");
  const later = await start("while [ ! -e /later ]; do usleep 10000; done; exit 8");
  const { Pid } = (await box.inspect()).State;
  await engine.kill9();
  await Bun.write(`/proc/${Pid}/root/go`, "");
  await until("it has left its code", async () => {
    const folder = join(engine.execRoot, "bundles", box.id, "exec", meanwhile, box.id);
    return (await Bun.file(folder).exists()) && (await Bun.file(folder).text()) !== "";
  });
  await engine.start();
  expect(await inspect(meanwhile)).toMatchObject({ Running: false, ExitCode: 7 });
  expect(await inspect(later)).toMatchObject({ Running: true });
  await Bun.write(`/proc/${Pid}/root/later`, "");
  await until("it ended", async () => !(await inspect(later)).Running);
  expect(await inspect(later)).toMatchObject({ ExitCode: 8 });
});

test("paused stays paused; what only a broken-off command froze runs again", async () => {
  await using engine = await startEngine();
  const paused = await engine.run(["sleep", "600"]);
  const thawed = await engine.run(["sleep", "600"]);
  const frozen = await engine.run(["sleep", "600"]);
  for (const box of [paused, thawed]) await engine.wire.bytes("POST", `/containers/${box.id}/pause`);
  await engine.kill9();
  crun(engine, "resume", thawed);
  crun(engine, "pause", frozen);
  await engine.start();
  expect((await paused.inspect()).State).toMatchObject({ Status: "paused", Paused: true, Running: true });
  expect((await thawed.inspect()).State.Status).toBe("running");
  expect((await frozen.inspect()).State.Status).toBe("running");
  expect(await frozen.exec(["echo", "awake"])).toMatchObject({ stdout: "awake\n" });
  await paused.kill();
  expect((await paused.inspect()).State).toMatchObject({ Status: "exited", ExitCode: 137 });
});

test("a restart that was due is made up for, and counts", async () => {
  await using engine = await startEngine();
  const twice = await engine.run(["sh", "-c", "echo try; exit 3"], {
    HostConfig: { RestartPolicy: { Name: "on-failure", MaximumRetryCount: 2 } },
  });
  const box = await engine.run(["false"], { HostConfig: always });
  await until("it waits a while", async () => (await box.inspect()).RestartCount > 2);
  await until("it is between two runs", async () => (await box.inspect()).State.Restarting);
  await engine.kill9();
  await engine.start();
  const { RestartCount } = await box.inspect();
  await until("it goes on", async () => (await box.inspect()).RestartCount > RestartCount);
  await until("the other gave up", async () => (await twice.inspect()).State.Status === "exited");
  expect((await twice.inspect()).RestartCount).toBe(2);
  expect((await twice.logs()).stdout).toBe("try\ntry\ntry\n");
});

test("exits of the time without a daemon: on-failure goes on counting, --rm is gone, others stay", async () => {
  await using engine = await startEngine();
  const script = ["sh", "-c", "trap 'exit 4' USR1; echo up; while :; do usleep 10000; done"];
  const onFailure = await engine.run(script, {
    HostConfig: { RestartPolicy: { Name: "on-failure", MaximumRetryCount: 5 } },
  });
  const unless = await engine.run(script, {
    HostConfig: { RestartPolicy: { Name: "unless-stopped", MaximumRetryCount: 0 } },
  });
  const removed = await engine.run(script, { HostConfig: { AutoRemove: true } });
  const plain = await engine.run(script);
  const boxes = [onFailure, unless, removed, plain];
  const pids = await Promise.all(boxes.map(async (box) => (await box.inspect()).State.Pid));
  await until("traps are set", async () =>
    (await Promise.all(boxes.map((box) => box.logs()))).every(({ stdout }) => stdout !== ""),
  );
  await engine.kill9();
  for (const pid of pids) process.kill(pid, "SIGUSR1");
  await until("they ended", async () => {
    const files = boxes.map((box) => Bun.file(join(engine.execRoot, "exits", box.id)).exists());
    return (await Promise.all(files)).every(Boolean);
  });
  await engine.start();
  for (const box of [onFailure, unless]) {
    await until("it runs again", async () => (await box.inspect()).State.Running);
    expect((await box.inspect()).RestartCount).toBe(1);
  }
  expect((await plain.inspect()).State).toMatchObject({ Status: "exited", ExitCode: 4 });
  await until("it is removed", async () => !(await engine.list()).some(({ Id }) => Id === removed.id));
});

function crun(engine: Engine, verb: "pause" | "resume", { id }: Box): void {
  const { status, stderr } = spawnSync("crun", ["--root", join(engine.execRoot, "runtime"), verb, id]);
  if (status !== 0) throw new Error(String(stderr));
}
