/** Limits on memory's details and on block devices, whole folders of devices, and where the cgroup lies. */
import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeGroup } from "#linux/cgroup-group.ts";
import { Box, type ContainerOverrides } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { output } from "./harness/process.ts";

type Overrides = NonNullable<ContainerOverrides["HostConfig"]>;

interface Created {
  Id: string;
  Warnings: string[];
}

async function create(engine: Engine, HostConfig: Overrides, script: string): Promise<Created> {
  const body = { Image: "berth-test", Cmd: ["sh", "-c", script], HostConfig };
  return await engine.wire.json("POST", "/containers/create", body);
}

/** What the script prints, once it has ended. */
async function printed(engine: Engine, { Id }: Created): Promise<string[]> {
  const box = new Box(engine.wire, Id);
  await box.start();
  await box.wait();
  return (await box.logs()).stdout.trim().split("\n");
}

const unified = async (engine: Engine) =>
  (await engine.wire.json<{ CgroupVersion: string }>("GET", "/info")).CgroupVersion === "2";

/** A folder with nodes of that kind, by any path of the host. */
async function nodes(...named: readonly [name: string, type: "b" | "c", major: number, minor: number][]) {
  const folder = mkdtempSync(join(tmpdir(), "berth-nodes-"));
  for (const [name, type, major, minor] of named) {
    await output(["mknod", join(folder, name), type, String(major), String(minor)]);
  }
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}

test("rates of a block device are the cgroup's", async () => {
  await using engine = await startEngine();
  const files = readdirSync("/sys/block").map((name) => `/sys/block/${name}/dev`);
  const disks = files.filter((file) => existsSync(file)).map((file) => readFileSync(file, "utf8").trim());
  const disk = disks[0] ?? "";
  expect(disk).toMatch(/^\d+:\d+$/);
  const [major = 0, minor = 0] = disk.split(":").map(Number);
  using made = await nodes(["disk", "b", major, minor]);
  const rate = (Rate: number) => [{ Path: join(made.folder, "disk"), Rate }];
  const limits = {
    BlkioDeviceReadBps: rate(1 << 20),
    BlkioDeviceWriteBps: rate(2 << 20),
    BlkioDeviceReadIOps: rate(300),
    BlkioDeviceWriteIOps: rate(400),
  };
  const v2 = await unified(engine);
  const throttle = "/sys/fs/cgroup/blkio/blkio.throttle";
  const limited = v2
    ? "/sys/fs/cgroup/io.max"
    : `${throttle}.read_bps_device ${throttle}.write_bps_device ${throttle}.read_iops_device ${throttle}.write_iops_device`;
  const created = await create(engine, limits, `cat ${limited}`);
  expect(created.Warnings).toEqual([]);
  expect(await printed(engine, created)).toEqual(
    v2
      ? [`${disk} rbps=${1 << 20} wbps=${2 << 20} riops=300 wiops=400`]
      : [`${disk} ${1 << 20}`, `${disk} ${2 << 20}`, `${disk} 300`, `${disk} 400`],
  );
  const absent = await create(engine, { BlkioDeviceReadBps: [{ Path: "/dev/none", Rate: 1 }] }, "true");
  await expect(engine.wire.bytes("POST", `/containers/${absent.Id}/start`)).rejects.toThrow("stat /dev/none");
});

test("swappiness and the OOM killer obey on cgroup v1, and say that they cannot on v2", async () => {
  await using engine = await startEngine();
  const asked: Overrides = { Memory: 64 << 20, MemorySwappiness: 10, OomKillDisable: true };
  const group = "/sys/fs/cgroup/memory/memory";
  if (await unified(engine)) {
    const { Warnings, Id } = await create(engine, asked, "true");
    expect(Warnings).toEqual([
      expect.stringContaining("does not support memory swappiness"),
      "Your kernel does not support OomKillDisable. OomKillDisable discarded.",
    ]);
    const { HostConfig } = await engine.wire.json<{ HostConfig: Overrides }>("GET", `/containers/${Id}/json`);
    expect(HostConfig).toMatchObject({ MemorySwappiness: null, OomKillDisable: null });
    return;
  }
  const created = await create(engine, asked, `cat ${group}.swappiness; head -n 1 ${group}.oom_control`);
  expect(created.Warnings).toEqual([]);
  expect(await printed(engine, created)).toEqual(["10", "oom_kill_disable 1"]);
  const { Warnings } = await create(engine, { OomKillDisable: true }, "true");
  expect(Warnings).toEqual([expect.stringContaining("OOM killer is disabled for the container, but no memory limit")]);
});

test("a folder of devices comes whole, each with the rights that were asked for", async () => {
  await using engine = await startEngine();
  using made = await nodes(["log", "c", 1, 11], ["full", "c", 1, 7]);
  const Devices = [{ PathOnHost: made.folder, PathInContainer: "/dev/box", CgroupPermissions: "r" }];
  const script =
    "ls /dev/box; head -c 0 /dev/box/log && echo readable; (echo x >/dev/box/log) 2>/dev/null || echo closed";
  const created = await create(engine, { Devices, CapAdd: ["SYSLOG"] }, script);
  expect(await printed(engine, created)).toEqual(["full", "log", "readable", "closed"]);
  using empty = await nodes();
  const refused = await create(engine, { Devices: [{ ...Devices[0]!, PathOnHost: empty.folder }] }, "true");
  await expect(engine.wire.bytes("POST", `/containers/${refused.Id}/start`)).rejects.toThrow("not a device node");
});

test("the cgroup lies below the parent that was asked for, and a namespace hides where", async () => {
  const parent = `berth-parent-${process.pid}`;
  // Made on the way, and left as Docker leaves it: it may be somebody's.
  await using undo = new AsyncDisposableStack();
  undo.defer(async () => void (await removeGroup(`/${parent}`)));
  await using engine = await startEngine();
  const host = await create(engine, { CgroupParent: parent, CgroupnsMode: "host" }, "cat /proc/self/cgroup");
  const paths = (lines: string[]) => new Set(lines.map((line) => line.split(":")[2]));
  expect([...paths(await printed(engine, host))]).toContain(`/${parent}/${host.Id}`);
  const hidden = await create(engine, { CgroupParent: `/${parent}`, CgroupnsMode: "private" }, "cat /proc/self/cgroup");
  expect([...paths(await printed(engine, hidden))].filter((path) => path !== "/")).toEqual([]);
});
