/** kill -9 of the daemon: containers do not notice, and the next daemon knows all that happened meanwhile. */
import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { Database } from "bun:sqlite";
import { startEngine } from "./harness/engine.ts";
import { alive, until } from "./harness/process.ts";

test("twenty containers keep their pids, no log line is missing, and exits carry their code and time", async () => {
  await using engine = await startEngine();
  const quiet = await Promise.all(
    Array.from({ length: 16 }, (_, index) => engine.run(["sleep", "600"], { name: `quiet${index}` })),
  );
  // About ten thousand lines a second, numbered.
  const chatty = await engine.run([
    "sh",
    "-c",
    "i=0; while :; do seq $i $((i + 499)); i=$((i + 500)); usleep 50000; done",
  ]);
  const leaving = await engine.run(["sh", "-c", "trap 'exit 42' USR1; echo ready; while :; do usleep 20000; done"]);
  const again = await engine.run(["sh", "-c", "trap 'exit 1' USR1; echo up; while :; do usleep 20000; done"], {
    HostConfig: { RestartPolicy: { Name: "always", MaximumRetryCount: 0 } },
  });
  const terminal = await engine.run(["sh"], { Tty: true, OpenStdin: true });
  const all = [...quiet, chatty, leaving, again, terminal];
  expect(all).toHaveLength(20);
  const pids = new Map<string, number>();
  for (const box of all) pids.set(box.id, (await box.inspect()).State.Pid);
  await until(
    "the traps are set",
    async () => (await leaving.logs()).stdout !== "" && (await again.logs()).stdout !== "",
  );

  await engine.kill9();
  const killed = Date.now();
  process.kill(pids.get(leaving.id) ?? 0, "SIGUSR1");
  process.kill(pids.get(again.id) ?? 0, "SIGUSR1");
  await until("both ended", () => [leaving, again].every((box) => !alive(pids.get(box.id) ?? 0)));
  const ended = Date.now();
  // Lines go on while nobody is there to read them.
  await Bun.sleep(1000);
  await engine.start();

  for (const box of all) {
    if (box === leaving || box === again) continue;
    expect((await box.inspect()).State).toMatchObject({ Running: true, Pid: pids.get(box.id) ?? 0 });
  }
  const { State } = await leaving.inspect();
  expect(State).toMatchObject({ Status: "exited", ExitCode: 42, Pid: 0 });
  // The clock of the file system may lag behind by a tick.
  expect(Date.parse(State.FinishedAt)).toBeGreaterThanOrEqual(killed - 20);
  expect(Date.parse(State.FinishedAt)).toBeLessThanOrEqual(ended + 20);
  await until("the policy was caught up", async () => (await again.inspect()).State.Running);
  expect((await again.inspect()).RestartCount).toBe(1);

  await chatty.kill();
  await chatty.wait();
  const lines = (await chatty.logs()).stdout.trimEnd().split("\n");
  expect(lines.length).toBeGreaterThan(5000);
  expect(lines.findIndex((line, index) => line !== String(index))).toBe(-1);

  using console = await terminal.attach();
  console.write("echo $((6 * 7))-alive\n");
  await console.until("42-alive");
  expect((await quiet[0]?.exec(["echo", "exec works"]))?.stdout).toBe("exec works\n");
});

test("a wait that is broken off by the crash can be made again; an exited --rm container is removed by the next daemon", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "trap 'exit 5' USR1; echo ready; while :; do usleep 20000; done"], {
    HostConfig: { AutoRemove: true },
  });
  await until("the trap is set", async () => (await box.logs()).stdout !== "");
  const { Pid } = (await box.inspect()).State;
  await engine.kill9();
  process.kill(Pid, "SIGUSR1");
  await until("it ended", () => !alive(Pid));
  await engine.start();
  await until("it is removed", async () => (await engine.list()).length === 0);
});

test("SIGTERM ends the daemon and leaves the containers", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  const { Pid } = (await box.inspect()).State;
  await engine.stop();
  expect(alive(Pid)).toBe(true);
  await engine.start();
  expect((await box.inspect()).State).toMatchObject({ Running: true, Pid });
});

test("a second daemon over the same roots refuses to start", async () => {
  await using engine = await startEngine({ image: false });
  const { code, stderr, stdout } = await engine.berth([
    "daemon",
    "--data-root",
    engine.dataRoot,
    "--exec-root",
    engine.execRoot,
    "--host",
    `unix://${engine.execRoot}/two.sock`,
  ]);
  expect(code).not.toBe(0);
  expect(stdout + stderr).toContain(engine.dataRoot);
  expect(await engine.wire.json("GET", "/version")).toMatchObject({ Os: "linux" });
});

test("a damaged database is refused with the remedy and left as it is", async () => {
  await using engine = await startEngine();
  await engine.stop();
  const file = join(engine.dataRoot, "berth.db");
  new Database(file).run("PRAGMA wal_checkpoint(TRUNCATE)");
  const good = await Bun.file(file).bytes();
  const bad = good.slice();
  crypto.getRandomValues(bad.subarray(0, 4096));
  await Bun.write(file, bad);
  await expect(engine.start()).rejects.toThrow(/berth\.db/);
  expect(await engine.log()).toContain("restore it from a backup");
  expect(Bun.hash(await Bun.file(file).bytes())).toBe(Bun.hash(bad));
  await engine.stop();
  for (const name of await readdir(engine.dataRoot)) {
    if (name.startsWith("berth.db-")) await Bun.file(join(engine.dataRoot, name)).delete();
  }
  await Bun.write(file, good);
  await engine.start();
});

test("a container that was not made whole holds no volumes", async () => {
  await using engine = await startEngine();
  const whole = await engine.create(["true"], { HostConfig: { Binds: ["named:/named", "/kept"] } });
  const half = await engine.create(["true"], { HostConfig: { Binds: ["named:/named", "/anonymous"] } });
  await engine.stop();
  {
    // As a kill leaves it after the volumes were made.
    using db = new Database(join(engine.dataRoot, "berth.db"));
    db.run("DELETE FROM container WHERE id = ?", [half.id]);
  }
  await engine.start();
  const { Volumes } = await engine.wire.json<{ Volumes: { Name: string }[] }>("GET", "/volumes");
  const mounts = (await whole.inspect()).Mounts.map(({ Name }) => Name ?? "");
  expect(Volumes.map(({ Name }) => Name).toSorted()).toEqual(mounts.toSorted());
  await whole.remove();
  await engine.wire.bytes("DELETE", "/volumes/named");
});
