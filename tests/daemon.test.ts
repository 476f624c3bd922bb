/** How the daemon starts, refuses to start, and stops. */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { mountTmpfs, unmount } from "#linux/mount.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { until } from "./harness/process.ts";

const ignoring = ["sh", "-c", "trap '' TERM; echo set; while :; do usleep 10000; done"];

test("two daemons do not share an exec root either", async () => {
  await using engine = await startEngine({ image: false });
  const other = mkdtempSync("/var/tmp/bt-other-");
  try {
    const { code, stderr } = await engine.berth([
      "daemon",
      `--data-root=${other}`,
      `--exec-root=${engine.execRoot}`,
      `--host=unix://${engine.execRoot}/two.sock`,
    ]);
    expect(code).toBe(1);
    expect(stderr).toContain(`another daemon uses the exec root ${engine.execRoot}`);
    expect(await engine.wire.json("GET", "/version")).toMatchObject({ Os: "linux" });
  } finally {
    rmSync(other, { recursive: true });
  }
});

test("a socket file that a dead daemon left is taken over; one where somebody answers, or another file, is not", async () => {
  await using engine = await startEngine({ image: false });
  await engine.kill9();
  expect(statSync(engine.socket).isSocket()).toBe(true);
  await engine.start();
  await engine.stop();
  expect(existsSync(engine.socket)).toBe(false);

  await using server = createServer((connection) => void connection.destroy());
  await new Promise<void>((resolve) => server.listen(engine.socket, resolve));
  expect(await failure(engine)).toContain(`cannot listen on ${engine.socket}: another program listens there`);
  expect(statSync(engine.socket).isSocket()).toBe(true);
  await new Promise((resolve) => server.close(resolve));

  writeFileSync(engine.socket, "mine");
  expect(await failure(engine)).toContain(`cannot listen on ${engine.socket}: there is a file that is no socket`);
  expect(readFileSync(engine.socket, "utf8")).toBe("mine");
  rmSync(engine.socket);
  await engine.start();
});

test("a database of a newer Berth is refused and left as it is", async () => {
  await using engine = await startEngine();
  await engine.stop();
  const file = join(engine.dataRoot, "berth.db");
  const edit = (sql: string): void => {
    using database = new Database(file);
    database.run(sql);
    database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  };
  edit("UPDATE schema_version SET version = version + 1 WHERE name = 'container'");
  const before = Bun.hash(readFileSync(file));
  const said = await failure(engine);
  expect(said).toContain(file);
  expect(said).toContain("it was written by a newer Berth");
  expect(Bun.hash(readFileSync(file))).toBe(before);
  edit("UPDATE schema_version SET version = version - 1 WHERE name = 'container'");
  await engine.start();
  expect(await engine.wire.json("GET", "/images/json")).toHaveLength(1);
});

test("SIGTERM ends the daemon within seconds, whatever clients wait for, and loses nothing", async () => {
  await using engine = await startEngine();
  const box = await engine.run(ignoring);
  await until("the trap is set", async () => (await box.logs()).stdout !== "");
  const waiting = Promise.allSettled([
    box.wait(),
    box.stop(3000),
    engine.wire.bytes("GET", `/containers/${box.id}/logs?stdout=1&follow=1`),
    engine.wire.bytes("GET", "/events"),
    engine.berth(["attach", box.id]),
  ]);
  const { Pid } = (await box.inspect()).State;
  const begun = performance.now();
  await engine.stop();
  expect(performance.now() - begun).toBeLessThan(5000);
  await waiting;
  await engine.start();
  expect((await box.inspect()).State).toMatchObject({ Running: true, Pid });
});

test("with --stop-containers all stop side by side, each in its own time, and policies hold afterwards", async () => {
  await using engine = await startEngine({ arguments: ["--stop-containers"] });
  const stubborn = await Promise.all(
    Array.from({ length: 5 }, () =>
      engine.run(ignoring, {
        StopTimeout: 2,
        HostConfig: { RestartPolicy: { Name: "unless-stopped", MaximumRetryCount: 0 } },
      }),
    ),
  );
  const polite = await engine.run(["sh", "-c", "trap 'exit 6' TERM; echo set; while :; do usleep 10000; done"]);
  for (const box of [...stubborn, polite]) {
    await until("the trap is set", async () => (await box.logs()).stdout !== "");
  }
  const begun = performance.now();
  await engine.stop();
  const took = performance.now() - begun;
  expect(took).toBeGreaterThan(1900);
  expect(took).toBeLessThan(8000);
  await engine.start();
  expect((await polite.inspect()).State).toMatchObject({ Status: "exited", ExitCode: 6 });
  for (const box of stubborn) await until("it runs again", async () => (await box.inspect()).State.Running);
});

test("a disk that fills up makes errors, not damage", async () => {
  const dataRoot = mkdtempSync("/var/tmp/bt-full-");
  mountTmpfs(dataRoot, { size: 64 * 1024 * 1024, mode: 0o700, flags: [] });
  try {
    await using engine = await startEngine({ dataRoot });
    const box = await engine.run(["sleep", "600"]);
    const killed = await engine.run(["sleep", "600"]);
    const filler = join(dataRoot, "filler");
    fill(filler);
    const failed = await Promise.allSettled(
      Array.from({ length: 60 }, (_, i) =>
        engine.create(["true"], { name: `full${i}`, Labels: { long: "x".repeat(20_000) } }),
      ),
    );
    const errors = failed.flatMap((result) => (result.status === "rejected" ? [String(result.reason)] : []));
    expect(errors.length).toBeGreaterThan(0);
    expect(errors.filter((text) => !/no space left on device/i.test(text))).toEqual([]);
    await killed.kill();
    expect((await killed.inspect()).State).toMatchObject({ Status: "exited", ExitCode: 137 });
    const made = failed.flatMap((result) => (result.status === "fulfilled" ? [result.value.id] : []));
    await engine.kill9();
    rmSync(filler);
    await engine.start();
    expect((await box.inspect()).State.Running).toBe(true);
    expect((await killed.inspect()).State).toMatchObject({ Status: "exited", ExitCode: 137 });
    expect((await engine.list()).map(({ Id }) => Id).toSorted()).toEqual([box.id, killed.id, ...made].toSorted());
    await (await engine.create(["true"])).start();
    expect(await engine.leftovers()).toEqual([]);
    using database = new Database(join(dataRoot, "berth.db"), { readonly: true });
    expect(database.query("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  } finally {
    unmount(dataRoot, { detach: true });
    rmSync(dataRoot, { recursive: true });
  }
});

test("missing folders are made, at any depth", async () => {
  await using engine = await startEngine({ image: false });
  await engine.stop();
  rmSync(join(engine.execRoot, "exits"), { recursive: true, force: true });
  rmSync(join(engine.execRoot, "bundles"), { recursive: true, force: true });
  rmSync(join(engine.dataRoot, "ingest"), { recursive: true, force: true });
  rmSync(join(engine.dataRoot, "snapshots"), { recursive: true, force: true });
  await engine.start();
  expect(await engine.list()).toEqual([]);
});

/** The daemon's last words where it refuses to start. Its exit code is 1. */
async function failure(engine: Engine): Promise<string> {
  try {
    await engine.start();
  } catch (error) {
    const text = String(error);
    expect(text).toContain("ended with code 1");
    return text;
  }
  throw new Error("the daemon started");
}

function fill(file: string): void {
  for (let size = 16 * 1024 * 1024; size >= 512; size /= 2) {
    const block = new Uint8Array(size);
    try {
      for (;;) writeFileSync(file, block, { flag: "a" });
    } catch {
      // No room for another block of this size.
    }
  }
}
