/** Volumes with a file system of their own: mounted with the first container, unmounted with the last, whatever dies. */
import { expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import type { Volume } from "#api/types/volume.ts";
import { cString, syscall } from "#linux/libc.ts";
import { unmount } from "#linux/mount.ts";
import type { Box } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { until } from "./harness/process.ts";

const create = (engine: Engine, Name: string, DriverOpts: Record<string, string>) =>
  engine.wire.json<Volume>("POST", "/volumes/create", { Name, DriverOpts });

const running = (engine: Engine, volume: string): Promise<Box> =>
  engine.run(["sleep", "600"], { HostConfig: { Binds: [`${volume}:/v`] } });

/** Types of the file systems at the volume's place on the host. */
function mounted(engine: Engine, volume: string): string[] {
  const place = ` ${engine.dataRoot}/volumes/${volume}/_data `;
  const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return lines.filter((line) => line.includes(place)).map((line) => line.split(" - ")[1]?.split(" ")[0] ?? "");
}

/** Files of the engine that loop devices show. */
function loops(engine: Engine): string[] {
  return readdirSync("/sys/block").flatMap((name) => {
    try {
      const file = readFileSync(`/sys/block/${name}/loop/backing_file`, "utf8").trim();
      return file.startsWith(engine.dataRoot) ? [file] : [];
    } catch {
      return [];
    }
  });
}

test("a tmpfs volume lives from its first container to its last, and its options hold", async () => {
  await using engine = await startEngine();
  const options = { type: "tmpfs", device: "tmpfs", o: "size=1m,mode=0750,uid=7,nosuid" };
  expect(await create(engine, "memory", options)).toMatchObject({ Options: options, Driver: "local" });
  expect(mounted(engine, "memory")).toEqual([]);
  const first = await running(engine, "memory");
  const second = await running(engine, "memory");
  expect(mounted(engine, "memory")).toEqual(["tmpfs"]);
  const seen = await first.exec([
    "sh",
    "-c",
    "stat -c '%u %a' /v; grep ' /v ' /proc/mounts | cut -d ' ' -f 4; echo x >/v/x",
  ]);
  // Some kernels add an option of their own.
  expect(seen.stdout).toStartWith("7 750\nrw,nosuid,relatime,size=1024k,mode=750,uid=7");
  const full = await first.exec(["sh", "-c", "dd if=/dev/zero of=/v/big bs=1M count=2"]);
  expect(full.stderr).toContain("No space left on device");
  await first.remove({ force: true });
  expect((await second.exec(["cat", "/v/x"])).stdout).toBe("x\n");
  await second.stop(0);
  await until("the mount is gone", () => mounted(engine, "memory").length === 0);
  await second.start();
  expect((await second.exec(["ls", "/v"])).stdout).toBe("");
});

test("a bind volume shows a folder of the host, read-only where it says so, and never loses it", async () => {
  await using engine = await startEngine();
  const folder = await mkdtemp("/var/tmp/bt-device-");
  try {
    await writeFile(`${folder}/file`, "host\n");
    await create(engine, "host", { type: "none", device: folder, o: "bind" });
    await create(engine, "look", { type: "none", device: folder, o: "bind,ro" });
    const box = await engine.run(["sh", "-c", "cat /v/file; echo box >/v/new; echo x >/r/no"], {
      HostConfig: { Binds: ["host:/v", "look:/r"] },
    });
    await box.wait();
    const { stdout, stderr } = await box.logs();
    expect(stdout).toBe("host\n");
    expect(stderr).toContain("Read-only file system");
    // Prune leaves what is elsewhere; removal takes the volume only, also while its folder is still mounted.
    await box.remove();
    const all = encodeURIComponent(JSON.stringify({ all: ["true"] }));
    const pruned = await engine.wire.json<{ VolumesDeleted: string[] }>("POST", `/volumes/prune?filters=${all}`);
    expect(pruned.VolumesDeleted).toEqual([]);
    const last = await running(engine, "host");
    await last.remove({ force: true });
    await engine.wire.bytes("DELETE", "/volumes/host");
    expect(await engine.leftovers()).toEqual([]);
    expect(readdirSync(folder).toSorted()).toEqual(["file", "new"]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("an empty folder behind a volume takes over what the image has there", async () => {
  await using engine = await startEngine();
  const folder = await mkdtemp("/var/tmp/bt-device-");
  try {
    await create(engine, "host", { type: "none", device: folder, o: "bind" });
    const show = "stat -c '%u:%g %a' /data/seed; ls -A /data";
    const box = await engine.run(["sh", "-c", show], { HostConfig: { Binds: ["host:/data"] } });
    await box.wait();
    expect((await box.logs()).stdout).toBe("1000:2000 640\nseed\n");
    expect(readdirSync(folder)).toEqual(["seed"]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a bounded volume holds its size and keeps its content", async () => {
  await using engine = await startEngine();
  await create(engine, "small", { size: "16m" });
  const box = await running(engine, "small");
  const full = await box.exec([
    "sh",
    "-c",
    "ls -A /v; echo kept >/v/file; sync; dd if=/dev/zero of=/v/big bs=1M count=20",
  ]);
  expect(full.stdout).toBe("");
  expect(full.stderr).toMatch(/No space left on device|Disk quota exceeded/);
  await box.exec(["rm", "/v/big"]);
  await box.stop(0);
  await until("the mount is gone", () => mounted(engine, "small").length === 0 && loops(engine).length === 0);
  await box.start();
  expect((await box.exec(["cat", "/v/file"])).stdout).toBe("kept\n");
  const { Volumes } = await engine.wire.json<{ Volumes: Volume[] }>("GET", "/system/df?type=volume");
  const [{ UsageData } = {}] = Volumes;
  expect(UsageData?.RefCount).toBe(1);
  expect(UsageData?.Size).toBeGreaterThan(0);
  expect(UsageData?.Size).toBeLessThan(16 * 2 ** 20);
  expect((await engine.berth(["system", "df", "-v"])).stdout).toMatch(/small\s+1\s+/);
});

test("a killed daemon loses no mount that runs and leaves none that does not", async () => {
  await using engine = await startEngine();
  await create(engine, "small", { size: "16m" });
  await create(engine, "memory", { type: "tmpfs", device: "tmpfs" });
  const stays = await running(engine, "small");
  const ends = await running(engine, "memory");
  await stays.exec(["sh", "-c", "echo before >/v/file"]);
  const { Pid } = (await ends.inspect()).State;
  await engine.kill9();
  process.kill(Pid, "SIGKILL");
  await until("the mount is gone", () => !readdirSync("/proc").includes(String(Pid)));
  await engine.start();
  expect(mounted(engine, "memory")).toEqual([]);
  expect(mounted(engine, "small")).toEqual(["ext4"]);
  // Two devices of one file would not see each other's writes.
  const other = await running(engine, "small");
  expect((await other.exec(["cat", "/v/file"])).stdout).toBe("before\n");
  expect(loops(engine)).toHaveLength(1);
  await stays.remove({ force: true });
  expect((await other.exec(["cat", "/v/file"])).stdout).toBe("before\n");
  await other.remove({ force: true });
  await until("the mount is gone", () => loops(engine).length === 0);
});

test("what the kernel refuses, it refuses at the start, in its own words", async () => {
  await using engine = await startEngine();
  const place = (name: string) => `${engine.dataRoot}/volumes/${name}/_data`;
  await create(engine, "absent", { type: "nonsuchfs", device: "/dev/nothing", o: "ro,uid=1,password=secret" });
  const box = await engine.create(["true"], { HostConfig: { Binds: ["absent:/v"] } });
  await expect(box.start()).rejects.toMatchObject({
    status: 500,
    message:
      `error while mounting volume '${place("absent")}': failed to mount local volume: ` +
      `mount /dev/nothing:${place("absent")}, flags: 0x1, data: uid=1,password=********: no such device ` +
      '(this kernel has no file system "nonsuchfs")',
  });
  await create(engine, "gone", { type: "none", device: "/no/such/folder", o: "bind" });
  const other = await engine.create(["true"], { HostConfig: { Binds: ["gone:/v"] } });
  await expect(other.start()).rejects.toThrow(/flags: 0x1000: no such file or directory$/);
  // A server's name that nobody knows.
  await create(engine, "far", { type: "nfs", device: ":/export", o: "addr=server.invalid,rw" });
  const third = await engine.create(["true"], { HostConfig: { Binds: ["far:/v"] } });
  await expect(third.start()).rejects.toThrow("error resolving passed in network volume address");
});

test("options that make no sense are refused in Docker's words", async () => {
  await using engine = await startEngine({ image: false });
  const refused: readonly [Record<string, string>, string][] = [
    [{ bogus: "1" }, 'invalid option: "bogus"'],
    [{ type: "tmpfs" }, 'missing required option: "device"'],
    [{ o: "bind" }, 'missing required option: "device"'],
    [{ device: "/x", o: "bind" }, 'missing required option: "type"'],
    [{ size: "many" }, "invalid size: 'many'"],
    [{ size: "1k" }, "a size of 1024 bytes is too small: 1048576 is the least"],
    [{ type: "cifs", device: "//server:445/share" }, "port not allowed in CIFS device URL, include 'port' in 'o='"],
  ];
  for (const [options, message] of refused) {
    await expect(create(engine, "bad", options)).rejects.toMatchObject({
      status: 400,
      message: `create bad: ${message}`,
    });
  }
});

function commandLines(): string[] {
  return readdirSync("/proc").flatMap((name) => {
    try {
      return /^\d+$/.test(name) ? [readFileSync(`/proc/${name}/cmdline`, "latin1")] : [];
    } catch {
      return []; // gone
    }
  });
}

test("a file system that does not answer holds up nobody else", async () => {
  await using engine = await startEngine();
  const folder = await mkdtemp("/var/tmp/bt-silent-");
  // Who should answer has the descriptor, and never reads from it.
  const server = openSync("/dev/fuse", "r+");
  let open = true;
  try {
    const options = cString(`fd=${server},rootmode=40000,user_id=0,group_id=0`);
    expect(syscall("mount", cString("silent"), cString(folder), cString("fuse"), 0, options)).toBe(0);
    await create(engine, "silent", { type: "none", device: folder, o: "bind,password=hush" });
    const box = await engine.create(["true"], { HostConfig: { Binds: ["silent:/v"] } });
    const waiting = box.start().then(
      () => "started",
      (error: unknown) => String(error),
    );
    await until("the volume is mounted", () => mounted(engine, "silent").length > 0);
    // Every user of the host can read command lines.
    expect(commandLines().filter((line) => line.includes(folder))).toHaveLength(1);
    expect(commandLines().filter((line) => line.includes("hush"))).toEqual([]);
    const other = await engine.run(["true"]);
    expect(await other.wait()).toBe(0);
    // A second one waits for itself as well.
    const second = await engine.create(["true"], { HostConfig: { Binds: ["silent:/v"] } });
    const also = second.start().then(
      () => "started",
      (error: unknown) => String(error),
    );
    expect((await engine.list()).length).toBe(3);
    closeSync(server);
    open = false;
    for (const outcome of [await waiting, await also]) expect(outcome).toContain("not connected");
    expect(mounted(engine, "silent")).toEqual([]);
  } finally {
    if (open) closeSync(server);
    unmount(folder, { detach: true });
    await rm(folder, { recursive: true });
  }
});

test("a mount of a container makes the volume with its options, once", async () => {
  await using engine = await startEngine();
  const spec = "type=volume,src=made,dst=/v,volume-driver=local,volume-opt=type=tmpfs,volume-opt=device=tmpfs";
  const run = (more: string) =>
    engine.berth(["run", "--rm", "--mount", `${spec},${more}`, "berth-test", "sh", "-c", "grep ' /v ' /proc/mounts"]);
  const first = await run('"volume-opt=o=size=2m,mode=700"');
  expect(first.stdout).toContain("size=2048k,mode=700");
  // It exists: other options mean nothing any more, as with Docker.
  expect((await run("volume-opt=o=size=4m")).stdout).toContain("size=2048k,mode=700");
  expect((await engine.wire.json<Volume>("GET", "/volumes/made")).Options).toEqual({
    type: "tmpfs",
    device: "tmpfs",
    o: "size=2m,mode=700",
  });
  // Anonymous ones are mounted and removed with their container.
  const anonymous = spec.replace("src=made,", "");
  const gone = await engine.berth(["run", "--rm", "--mount", anonymous, "berth-test", "df", "/v"]);
  expect(gone.stdout).toContain("tmpfs");
  const { Volumes } = await engine.wire.json<{ Volumes: Volume[] }>("GET", "/volumes");
  expect(Volumes.map(({ Name }) => Name)).toEqual(["made"]);
});

test("a running container gets a volume with a file system of its own, and gives it back", async () => {
  await using engine = await startEngine();
  await create(engine, "small", { size: "16m" });
  const box = await engine.run(["sleep", "600"]);
  const change = (changes: object) => engine.wire.json("POST", `/containers/${box.id}/update`, { Changes: changes });
  await change({ Binds: { Add: ["small:/v"] } });
  expect(mounted(engine, "small")).toEqual(["ext4"]);
  await box.exec(["sh", "-c", "echo live >/v/file"]);
  await engine.kill9();
  await engine.start();
  expect((await box.exec(["cat", "/v/file"])).stdout).toBe("live\n");
  await change({ Mounts: { Remove: ["/v"] } });
  expect(mounted(engine, "small")).toEqual([]);
  // What cannot be mounted changes nothing.
  await create(engine, "gone", { type: "none", device: "/no/such/folder", o: "bind" });
  await expect(change({ Binds: { Add: ["small:/v", "gone:/g"] } })).rejects.toThrow("no such file or directory");
  expect(mounted(engine, "small")).toEqual([]);
  expect((await box.inspect()).Mounts).toEqual([]);
});

test("a volume is renamed while it is mounted", async () => {
  await using engine = await startEngine();
  await create(engine, "before", { size: "16m" });
  const box = await running(engine, "before");
  await box.exec(["sh", "-c", "echo kept >/v/file"]);
  await engine.wire.bytes("POST", "/volumes/before/rename?name=after");
  expect([mounted(engine, "before"), mounted(engine, "after")]).toEqual([[], ["ext4"]]);
  const other = await running(engine, "after");
  expect((await other.exec(["cat", "/v/file"])).stdout).toBe("kept\n");
  expect(loops(engine)).toHaveLength(1);
  await engine.kill9();
  await engine.start();
  expect(mounted(engine, "after")).toEqual(["ext4"]);
  await box.remove({ force: true });
  await other.stop(0);
  await until("nothing is mounted", () => mounted(engine, "after").length === 0);
  await other.start();
  expect((await other.exec(["cat", "/v/file"])).stdout).toBe("kept\n");
});

test("cp reads and writes the mounted volume of a container that does not run", async () => {
  await using engine = await startEngine();
  await create(engine, "small", { size: "16m" });
  const box = await engine.create(["cat", "/v/file"], { HostConfig: { Binds: ["small:/v"] } });
  await mkdir(`${engine.execRoot}/in`);
  await writeFile(`${engine.execRoot}/in/file`, "copied\n");
  expect(await engine.berth(["cp", `${engine.execRoot}/in/file`, `${box.id}:/v/file`])).toMatchObject({ code: 0 });
  expect(mounted(engine, "small")).toEqual([]);
  await box.start();
  await box.wait();
  expect((await box.logs()).stdout).toBe("copied\n");
});
