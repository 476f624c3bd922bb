/** Volumes as a whole: renamed, copied, backed up, restored, measured, with everything in them and through every crash. */
import { expect, test } from "bun:test";
import { mkdtemp, rmdir } from "node:fs/promises";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { Volume } from "#api/types/volume.ts";
import type { VolumesUsage } from "#api/types/volume-care.ts";
import { describeVolumeTree, makeVolumeTree } from "#linux/volume-testing.ts";
import type { Box } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { output, until } from "./harness/process.ts";

const dataOf = (engine: Engine, volume: string): string => join(engine.dataRoot, "volumes", volume, "_data");

async function makeVolume(engine: Engine, name: string, labels: Record<string, string> = {}): Promise<string> {
  await engine.wire.bytes("POST", "/volumes/create", { body: { Name: name, Labels: labels } });
  return dataOf(engine, name);
}

const names = async (engine: Engine): Promise<string[]> =>
  (await engine.wire.json<{ Volumes: Volume[] | null }>("GET", "/volumes")).Volumes?.map(({ Name }) => Name) ?? [];

/** What lies in the folder of volumes, hidden things too. */
const folders = (engine: Engine): string[] => readdirSync(join(engine.dataRoot, "volumes")).toSorted();

const withoutSocket = (lines: string[]): string[] => lines.filter((line) => !line.startsWith('["socket"'));

test("2,000 files and one of everything survive backup, restore and copy", async () => {
  await using engine = await startEngine({ image: false });
  const data = await makeVolume(engine, "full", { keep: "me" });
  makeVolumeTree(data, 2000);
  const before = describeVolumeTree(data);
  const file = join(engine.execRoot, "full.tar.zst");
  expect(await engine.berth(["volume", "backup", "full", "-o", file])).toMatchObject({ code: 0, stdout: "" });
  const restored = await engine.berth(["volume", "restore", "-i", file, "again"]);
  expect(restored).toEqual({
    code: 0,
    stdout: "again\n",
    stderr: "WARNING: the backup left out 1 socket(s), which their programs make anew\n",
  });
  expect(describeVolumeTree(dataOf(engine, "again"))).toEqual(withoutSocket(before));
  expect(await engine.wire.json<Volume>("GET", "/volumes/again")).toMatchObject({ Labels: { keep: "me" } });
  expect(await engine.berth(["volume", "cp", "full", "copy"])).toEqual({ code: 0, stdout: "copy\n", stderr: "" });
  expect(describeVolumeTree(dataOf(engine, "copy"))).toEqual(before);
  const { Volumes } = await engine.wire.json<VolumesUsage>("GET", "/system/df/volumes?name=full&name=copy");
  const [full, copy] = Volumes.map((usage) => ({ ...usage, Name: "" }));
  expect(copy).toEqual(full as NonNullable<typeof full>);
  // Two have a second name.
  expect(full).toMatchObject({ Files: before.length - 2, Containers: [] });
  expect(full?.ApparentSize).toBeGreaterThan(23_000_000_000);
  expect(full?.Size).toBeLessThan(60_000_000);
});

test("a backup goes through a pipe into another volume", async () => {
  await using engine = await startEngine({ image: false });
  const labels = { "com.docker.volume.anonymous": "", "com.docker.compose.project": "shop", mine: "yes" };
  const data = await makeVolume(engine, "one", labels);
  makeVolumeTree(data, 100);
  const berth = [...engine.program, "-H", `unix://${engine.socket}`, "volume"].map((word) => `'${word}'`).join(" ");
  expect(await output(["sh", "-c", `${berth} backup one | ${berth} restore two`])).toBe("two");
  expect(describeVolumeTree(dataOf(engine, "two"))).toEqual(withoutSocket(describeVolumeTree(data)));
  expect(await output(["sh", "-c", `${berth} backup -o - one | ${berth} restore -i - three`])).toBe("three");
  expect((await engine.wire.json<Volume>("GET", "/volumes/two")).Labels).toEqual({
    "com.docker.compose.project": "shop",
    mine: "yes",
  });
  await engine.wire.bytes("POST", "/volumes/one/copy?name=four");
  expect((await engine.wire.json<Volume>("GET", "/volumes/four")).Labels).toEqual({ mine: "yes" });
});

test("a backup that is cut off or has a flipped bit is refused, and the volume stands as it was", async () => {
  await using engine = await startEngine({ image: false });
  const data = await makeVolume(engine, "kept");
  for (let file = 0; file < 40; file++) writeFileSync(join(data, `file ${file}`), `content ${file} `.repeat(file * 50));
  const archive = Buffer.from(await engine.wire.bytes("GET", "/volumes/kept/backup"));
  writeFileSync(join(data, "later"), "written after the backup");
  const before = describeVolumeTree(data);
  const restore = (bytes: Uint8Array<ArrayBuffer>, query: string): Promise<Uint8Array> =>
    engine.wire.bytes("POST", `/volumes/restore?${query}`, { body: bytes });
  const damaged = [0.1, 0.5, 0.9, 0.99].map((share) => archive.subarray(0, Math.floor(archive.length * share)));
  // Some of them change a name into another's.
  for (let share = 0; share < 1; share += 0.02) {
    const flipped = Buffer.from(archive);
    const at = Math.floor(archive.length * share);
    flipped[at] = (flipped[at] ?? 0) ^ 4;
    damaged.push(flipped);
  }
  for (const bytes of damaged) {
    await expect(restore(bytes, "name=kept&replace=1")).rejects.toMatchObject({ status: 400 });
    await expect(restore(bytes, "name=new")).rejects.toMatchObject({ status: 400 });
    expect(describeVolumeTree(data)).toEqual(before);
  }
  await expect(restore(archive, "name=kept")).rejects.toMatchObject({ status: 409 });
  await expect(restore(archive, "")).rejects.toMatchObject({
    status: 409,
    message: "restore: a volume named kept exists already",
  });
  expect(await names(engine)).toEqual(["kept"]);
  expect(folders(engine)).toEqual(["kept"]);
  await restore(archive, "name=kept&replace=1");
  expect(describeVolumeTree(data)).toEqual(
    before.filter((line) => !line.startsWith('["later"')).with(0, expect.anything()),
  );
  expect(readdirSync(join(engine.dataRoot, "volumes/kept"))).toEqual(["_data"]);
});

test("a renamed volume goes on in its containers, running or not", async () => {
  await using engine = await startEngine();
  const running = await engine.run(["sleep", "600"], { HostConfig: { Binds: ["old:/data:ro"] } });
  const stopped = await engine.create(["cat", "/data/seed"], {
    HostConfig: { Mounts: [{ Type: "volume", Source: "old", Target: "/data" }] },
  });
  const anonymous = await engine.create(["true"], { Volumes: { "/scratch": {} } });
  expect(await engine.berth(["volume", "rename", "old", "new"])).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(folders(engine)).toContain("new");
  expect(folders(engine)).not.toContain("old");
  for (const box of [running, stopped]) {
    const { Mounts, HostConfig } = await box.inspect();
    expect(Mounts).toMatchObject([{ Name: "new", Source: dataOf(engine, "new"), Destination: "/data" }]);
    expect(JSON.stringify(HostConfig)).not.toContain("old");
  }
  expect((await running.exec(["cat", "/data/seed"])).stdout).toBe("from the image\n");
  await running.stop(0);
  await running.start();
  expect((await running.exec(["cat", "/data/seed"])).stdout).toBe("from the image\n");
  await stopped.start();
  await stopped.wait();
  expect((await stopped.logs()).stdout).toBe("from the image\n");
  const { stderr } = await engine.berth(["volume", "rm", "new"]);
  expect(stderr).toContain("remove new: volume is in use");
  const [random = ""] = (await anonymous.inspect()).Mounts.map(({ Name }) => Name ?? "");
  await engine.wire.bytes("POST", `/volumes/${random}/rename?name=named`);
  await anonymous.remove({ volumes: true });
  expect(await engine.wire.json<Volume>("GET", "/volumes/named")).toMatchObject({ Labels: null });
  const rename = (from: string, to: string): Promise<Uint8Array> =>
    engine.wire.bytes("POST", `/volumes/${from}/rename?name=${to}`);
  await expect(rename("absent", "other")).rejects.toMatchObject({ status: 404 });
  await expect(rename("new", "named")).rejects.toMatchObject({ status: 409 });
  await expect(rename("new", "../up")).rejects.toMatchObject({ status: 400 });
  await expect(rename("new", "new")).rejects.toMatchObject({ status: 400 });
});

test("what a killed daemon was doing to volumes is done or not at all", async () => {
  await using engine = await startEngine();
  const source = await makeVolume(engine, "source");
  makeVolumeTree(source, 400);
  const before = describeVolumeTree(source);
  const archive = Buffer.from(await engine.wire.bytes("GET", "/volumes/source/backup"));
  const target = await makeVolume(engine, "target");
  writeFileSync(join(target, "old"), "old");
  const box = await engine.run(["sleep", "600"], { HostConfig: { Binds: ["moves:/data"] } });
  const old = describeVolumeTree(target);
  let moves = "moves";
  const work = {
    restore: () => engine.wire.bytes("POST", "/volumes/restore?name=fresh", { body: archive }),
    replace: () => engine.wire.bytes("POST", "/volumes/restore?name=target&replace=1", { body: archive }),
    copy: () => engine.wire.bytes("POST", "/volumes/source/copy?name=fresh"),
    rename: () => engine.wire.bytes("POST", `/volumes/${moves}/rename?name=${moves === "moves" ? "moved" : "moves"}`),
  };
  for (const [what, begin] of Object.entries(work)) {
    for (const moment of [5, 80, 200]) {
      const answered = begin().then(
        () => true,
        () => false,
      );
      await Bun.sleep(moment);
      await engine.kill9();
      const done = await answered;
      await engine.start();
      const there = await names(engine);
      moves = there.find((name) => name.startsWith("move")) ?? "";
      expect(folders(engine)).toEqual(there.toSorted());
      for (const name of there) expect(readdirSync(join(engine.dataRoot, "volumes", name))).toEqual(["_data"]);
      expect(describeVolumeTree(source)).toEqual(before);
      const full = withoutSocket(before);
      if (there.includes("fresh")) {
        expect(describeVolumeTree(dataOf(engine, "fresh"))).toEqual(what === "copy" ? before : full);
        await engine.wire.bytes("DELETE", "/volumes/fresh");
      } else if (what === "restore" || what === "copy") expect(done).toBe(false);
      const now = describeVolumeTree(target);
      expect([old, full]).toContainEqual(now);
      if (what === "replace" && done) expect(now).toEqual(full);
      const [mount] = (await box.inspect()).Mounts;
      expect(mount).toMatchObject({ Name: moves, Source: dataOf(engine, moves) });
      expect(readFileSync(join(dataOf(engine, moves), "seed"), "utf8")).toBe("from the image\n");
      expect((await box.exec(["cat", "/data/seed"])).stdout).toBe("from the image\n");
    }
  }
});

/** A container whose volume `busy` holds a large file that never stops growing. */
async function runWriter(engine: Engine): Promise<Box> {
  const write =
    "head -c 60000000 /dev/urandom > /data/log; touch /data/ready; while :; do echo more >> /data/log; done";
  const box = await engine.run(["sh", "-c", write], { HostConfig: { Binds: ["busy:/data"] } });
  const data = dataOf(engine, "busy");
  await until("the file grows", () => existsSync(join(data, "ready")) && statSync(join(data, "log")).size > 60000000);
  return box;
}

test("a file that is written to fails a backup by its name", async () => {
  await using engine = await startEngine();
  // In memory: a disk may hold up the writer for longer than a backup takes.
  const DriverOpts = { type: "tmpfs", device: "tmpfs" };
  await engine.wire.bytes("POST", "/volumes/create", { body: { Name: "busy", DriverOpts } });
  await runWriter(engine);
  const file = join(engine.execRoot, "busy.tar.zst");
  const failed = await engine.berth(["volume", "backup", "busy", "-o", file]);
  expect(failed.code).toBe(1);
  expect(failed.stderr).toContain('the file "log" changed while it was read');
  expect(existsSync(file)).toBe(false);
});

test("--pause holds the writers to a volume still", async () => {
  await using engine = await startEngine();
  const box = await runWriter(engine);
  const file = join(engine.execRoot, "busy.tar.zst");
  expect(await engine.berth(["volume", "backup", "--pause", "busy", "-o", file])).toMatchObject({
    code: 0,
    stderr: "",
  });
  expect((await box.inspect()).State.Status).toBe("running");
  expect((await engine.berth(["volume", "restore", "-i", file, "calm"])).code).toBe(0);
  // In use by a container that runs.
  const refused = await engine.berth(["volume", "restore", "-i", file, "--replace", "busy"]);
  expect(refused.stderr).toContain(`volume is in use by running containers - [${box.id}]`);
  // Nobody reads what it writes, which is more than buffers hold: the backup stays under way, as long as somebody could.
  const unread: Response[] = [];
  const begin = async (): Promise<AbortController> => {
    const controller = new AbortController();
    unread.push(await engine.wire.send("GET", "/volumes/busy/backup?pause=1", { signal: controller.signal }));
    return controller;
  };
  const controller = await begin();
  await expect(engine.wire.bytes("DELETE", "/volumes/busy")).rejects.toMatchObject({ status: 409 });
  expect((await box.inspect()).State.Status).toBe("paused");
  await engine.kill9();
  await engine.start();
  expect((await box.inspect()).State.Status).toBe("running");
  controller.abort();
  // Of two who hold it still, the first to go does not let it run.
  const first = await begin();
  const second = await begin();
  first.abort();
  await until("one backup is over", async () => {
    const { message } = await engine.wire.bytes("DELETE", "/volumes/busy").then(
      () => ({ message: "removed" }),
      (error: Error) => error,
    );
    return message.endsWith(", backup]") && !message.includes("backup, backup");
  });
  expect((await box.inspect()).State.Status).toBe("paused");
  second.abort();
  await until("the writer runs again", async () => (await box.inspect()).State.Status === "running");
  expect(unread.map(({ status }) => status)).toEqual([200, 200, 200]);
});

test("a restore whose client leaves in the middle leaves nothing", async () => {
  await using engine = await startEngine({ image: false });
  const data = await makeVolume(engine, "kept");
  makeVolumeTree(data, 400);
  const archive = Buffer.from(await engine.wire.bytes("GET", "/volumes/kept/backup"));
  for (const query of ["name=new", "name=kept&replace=1"]) {
    const socket = connect({ path: engine.socket });
    socket.write(
      `POST /volumes/restore?${query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${archive.length}\r\n\r\n`,
    );
    socket.write(archive.subarray(0, archive.length - 1000));
    const begun = (): boolean => folders(engine).length > 1 || existsSync(join(engine.dataRoot, "volumes/kept/_next"));
    await until("the restore is under way", begun);
    socket.destroy();
    await until("nothing of it is left", () => !begun());
    expect(await names(engine)).toEqual(["kept"]);
  }
});

test("a disk that gets full in the middle leaves volumes as they were", async () => {
  const folder = await mkdtemp("/var/tmp/bt-full-");
  await output(["mount", "-t", "tmpfs", "-o", "size=40m", "berth-test", folder]);
  await using _ = {
    async [Symbol.asyncDispose]() {
      await output(["umount", "-l", folder]);
      await rmdir(folder);
    },
  };
  await using engine = await startEngine({ dataRoot: folder, image: false });
  const data = await makeVolume(engine, "kept");
  writeFileSync(join(data, "random"), crypto.getRandomValues(new Uint8Array(65_536)));
  for (let times = 0; times < 8; times++) writeFileSync(join(data, `zeros ${times}`), new Uint8Array(3_000_000));
  const before = describeVolumeTree(data);
  const archive = Buffer.from(await engine.wire.bytes("GET", "/volumes/kept/backup"));
  const full = { status: 503, message: expect.stringMatching(/no space left on device/i) };
  for (const query of ["name=new", "name=kept&replace=1"]) {
    await expect(engine.wire.bytes("POST", `/volumes/restore?${query}`, { body: archive })).rejects.toMatchObject(full);
  }
  await expect(engine.wire.bytes("POST", "/volumes/kept/copy?name=new")).rejects.toMatchObject(full);
  expect(describeVolumeTree(data)).toEqual(before);
  expect(await names(engine)).toEqual(["kept"]);
  expect(folders(engine)).toEqual(["kept"]);
});
