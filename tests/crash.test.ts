/** kill -9 of the daemon: containers do not notice, and the next daemon knows all that happened meanwhile. */
import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { Database } from "bun:sqlite";
import { startEngine } from "./harness/engine.ts";
import { until } from "./harness/process.ts";

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

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
