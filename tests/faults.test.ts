/** Parts that die or vanish under a daemon's feet: monitors, the runtime's state, a whole reboot. */
import { expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { unmount } from "#linux/mount.ts";
import type { Box } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { alive, until } from "./harness/process.ts";

const policy = (Name: "always" | "unless-stopped") => ({ RestartPolicy: { Name, MaximumRetryCount: 0 } });

test("a container whose monitor is killed is killed too, and its policy goes on", async () => {
  await using engine = await startEngine();
  const plain = await engine.run(["sleep", "600"]);
  const again = await engine.run(["sleep", "600"], { HostConfig: policy("always") });
  const { Pid } = (await again.inspect()).State;
  for (const box of [plain, again]) process.kill(monitorOf(engine, box), "SIGKILL");
  expect(await plain.wait()).toBe(137);
  expect((await plain.inspect()).State).toMatchObject({ Status: "exited", ExitCode: 137 });
  await until("the other is up again", async () => {
    const { State } = await again.inspect();
    return State.Running && State.Pid !== Pid && State.Pid !== 0;
  });
});

test("a monitor that was killed while no daemon ran is noticed by the next one", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  const { Pid } = (await box.inspect()).State;
  await engine.kill9();
  process.kill(monitorOf(engine, box), "SIGKILL");
  await engine.start();
  expect((await box.inspect()).State).toMatchObject({ Status: "exited", ExitCode: 137 });
  await until("its process is gone", () => !alive(Pid));
});

test("a monitor that is killed while it creates a container fails the start and leaves nothing", async () => {
  // The monitor is the parent; the runtime goes on without it.
  using runtime = new Wrapper("create", "kill -9 $PPID");
  await using engine = await startEngine({ arguments: ["--runtime", runtime.path] });
  const box = await engine.create(["sleep", "600"]);
  await expect(box.start()).rejects.toMatchObject({ status: 500, message: expect.stringContaining("conmon exited") });
  expect((await box.inspect()).State).toMatchObject({ Status: "created", Running: false });
  await box.remove();
  expect(await engine.leftovers()).toEqual([]);
});

test("a start that hangs in the runtime is given up, and the container can be removed", async () => {
  // crun is not asked to start what it made; runc is.
  for (const [verb, program] of [
    ["create", "crun"],
    ["start", "runc"],
  ] as const) {
    using runtime = new Wrapper(verb, "kill -STOP $$", program);
    await using engine = await startEngine({ arguments: ["--runtime", runtime.path, "--start-timeout", "1"] });
    const box = await engine.create(["sleep", "600"]);
    await expect(box.start()).rejects.toMatchObject({
      status: 500,
      message: expect.stringContaining("did not start the container within 1 seconds"),
    });
    expect((await box.inspect()).State).toMatchObject({ Status: "created", Running: false });
    await box.remove();
    expect(await engine.leftovers()).toEqual([]);
  }
});

test("without the runtime's own state a container still stops, and its cgroup goes", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "trap 'exit 3' TERM; echo set; while :; do usleep 10000; done"]);
  await until("the trap is set", async () => (await box.logs()).stdout !== "");
  rmSync(join(engine.execRoot, "runtime", box.id), { recursive: true });
  await box.stop(20);
  expect((await box.inspect()).State).toMatchObject({ Status: "exited", ExitCode: 3 });
  await box.start();
  await engine.kill9();
  rmSync(join(engine.execRoot, "runtime"), { recursive: true });
  await engine.start();
  expect((await box.inspect()).State).toMatchObject({ Status: "running" });
  await box.remove({ force: true });
  expect(await engine.leftovers()).toEqual([]);
});

test("after a reboot containers show 255, and those that want to run do", async () => {
  await using engine = await startEngine();
  const plain = await engine.run(["sleep", "600"], { HostConfig: { Binds: ["kept:/kept"] } });
  const always = await engine.run(["sleep", "600"], { HostConfig: policy("always") });
  const unless = await engine.run(["sleep", "600"], { HostConfig: policy("unless-stopped") });
  const stopped = await engine.run(["sleep", "600"], { HostConfig: policy("unless-stopped") });
  await stopped.stop(0);
  await plain.exec(["sh", "-c", "echo written >/kept/file; echo own >/own"]);
  await engine.kill9();
  for (const box of [plain, always, unless]) {
    process.kill(monitorOf(engine, box), "SIGKILL");
    process.kill(Number(readFileSync(join(engine.execRoot, "bundles", box.id, "pid"), "utf8")), "SIGKILL");
  }
  const points = () =>
    readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .map((line) => line.split(" ")[4] ?? "")
      .filter((point) => point.startsWith(`${engine.execRoot}/`));
  for (const point of points().toReversed()) unmount(point, { detach: true });
  for (const name of readdirSync(engine.execRoot)) {
    if (name !== "daemon.log") rmSync(join(engine.execRoot, name), { recursive: true });
  }
  await engine.start();
  expect((await plain.inspect()).State).toMatchObject({ Status: "exited", ExitCode: 255, Pid: 0 });
  expect((await stopped.inspect()).State).toMatchObject({ Status: "exited", ExitCode: 137 });
  for (const box of [always, unless]) {
    await until("it runs", async () => (await box.inspect()).State.Running);
    expect((await box.inspect()).RestartCount).toBe(0);
  }
  await plain.start();
  expect((await plain.exec(["cat", "/kept/file", "/own"])).stdout).toBe("written\nown\n");
});

test("an exit file that is cut off means 255, one from before the start means the start's time", async () => {
  await using engine = await startEngine();
  const cutOff = await engine.run(["sleep", "600"]);
  const early = await engine.run(["sleep", "600"]);
  const started = (await early.inspect()).State.StartedAt;
  const pids = await Promise.all([cutOff, early].map(async (box) => (await box.inspect()).State.Pid));
  await engine.kill9();
  for (const pid of pids) process.kill(pid, "SIGKILL");
  const exitFile = (box: Box) => join(engine.execRoot, "exits", box.id);
  await until("both have left their codes", async () => {
    const there = await Promise.all([cutOff, early].map((box) => Bun.file(exitFile(box)).exists()));
    return there.every(Boolean);
  });
  writeFileSync(exitFile(cutOff), "");
  // The clock was set back by an hour.
  utimesSync(exitFile(early), Date.now() / 1000 - 3600, Date.now() / 1000 - 3600);
  await engine.start();
  expect((await cutOff.inspect()).State).toMatchObject({ Status: "exited", ExitCode: 255 });
  expect((await early.inspect()).State).toMatchObject({ Status: "exited", ExitCode: 137, FinishedAt: started });
});

/** A runtime that first runs a shell command where it is asked for `verb`. */
class Wrapper implements Disposable {
  readonly #folder = mkdtempSync("/run/bt-wrapper-");
  readonly path = join(this.#folder, "runtime");

  constructor(verb: string, command: string, program = "crun") {
    writeFileSync(this.path, `#!/bin/sh\ncase " $* " in *" ${verb} "*) ${command};; esac\nexec ${program} "$@"\n`);
    chmodSync(this.path, 0o755);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
}

function monitorOf(engine: Engine, { id }: Box): number {
  return Number(readFileSync(join(engine.execRoot, "bundles", id, "conmon.pid"), "utf8"));
}
