/** Whole volumes that are a file system of their own: what is done to them is done to what they show. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { VolumesUsage, VolumeUsage } from "#api/types/volume-care.ts";
import type { Box } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { until } from "./harness/process.ts";

const post = (engine: Engine, path: string): Promise<Uint8Array> => engine.wire.bytes("POST", path);

async function writeNote(engine: Engine, volume: string, options: Record<string, string>): Promise<Box> {
  await engine.wire.json("POST", "/volumes/create", { Name: volume, DriverOpts: options });
  const box = await engine.run(["sleep", "600"], { HostConfig: { Binds: [`${volume}:/v`] } });
  await box.exec(["sh", "-c", "echo kept > /v/note; dd if=/dev/zero of=/v/zeros bs=1k count=300"]);
  return box;
}

async function readNote(engine: Engine, volume: string): Promise<string> {
  const box = await engine.run(["cat", "/v/note"], { HostConfig: { Binds: [`${volume}:/v`] } });
  await box.wait();
  const { stdout } = await box.logs();
  await box.remove();
  return stdout;
}

const usage = async (engine: Engine, volume: string): Promise<VolumeUsage | undefined> =>
  (await engine.wire.json<VolumesUsage>("GET", `/system/df/volumes?name=${volume}`)).Volumes[0];

const mounts = (engine: Engine): string[] =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(join(engine.dataRoot, "volumes")));

const unmounted = (engine: Engine): Promise<boolean> =>
  until("nothing is mounted any more", () => mounts(engine).length === 0);

test("a bounded volume is backed up, copied, measured and renamed, mounted or not", async () => {
  await using engine = await startEngine();
  const box = await writeNote(engine, "small", { size: "20m" });
  await post(engine, "/volumes/small/rename?name=moving");
  await post(engine, "/volumes/moving/rename?name=small");
  const whileMounted = Buffer.from(await engine.wire.bytes("GET", "/volumes/small/backup"));
  await box.remove({ force: true });
  await unmounted(engine);
  const whileNot = Buffer.from(await engine.wire.bytes("GET", "/volumes/small/backup"));
  for (const [name, archive] of Object.entries({ one: whileMounted, two: whileNot })) {
    await engine.wire.bytes("POST", `/volumes/restore?name=${name}`, { body: archive });
    expect(await readNote(engine, name)).toBe("kept\n");
  }
  await post(engine, "/volumes/small/copy?name=three");
  expect(await readNote(engine, "three")).toBe("kept\n");
  expect((await usage(engine, "small"))?.ApparentSize).toBe(300 * 1024 + "kept\n".length);
  await post(engine, "/volumes/small/rename?name=other");
  expect(await readNote(engine, "other")).toBe("kept\n");
  expect(await engine.wire.json("GET", "/volumes/other")).toMatchObject({ Options: { size: "20m" } });
  await expect(
    engine.wire.bytes("POST", "/volumes/restore?name=other&replace=1", { body: whileNot }),
  ).rejects.toMatchObject({ status: 409 });
  await unmounted(engine);
});

test("a tmpfs volume is what its containers see of it", async () => {
  await using engine = await startEngine();
  const box = await writeNote(engine, "memory", { type: "tmpfs", device: "tmpfs" });
  expect((await usage(engine, "memory"))?.ApparentSize).toBe(300 * 1024 + "kept\n".length);
  await post(engine, "/volumes/memory/copy?name=disk");
  await box.remove({ force: true });
  await unmounted(engine);
  expect(await readNote(engine, "disk")).toBe("kept\n");
  expect(await usage(engine, "memory")).toMatchObject({ Size: -1, ApparentSize: -1, Files: -1, Containers: [] });
  const { stdout } = await engine.berth(["volume", "du", "--format", "{{.Name}} {{.ApparentSize}} {{.Containers}}"]);
  expect(stdout).toBe("disk 307.2kB \nmemory N/A \n");
});
