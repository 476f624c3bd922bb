/** `update` of limits and restart policy, read where the kernel keeps them, on cgroup v1, v2 and the hybrid of both. */
import { expect, test } from "bun:test";
import type { ContainerUpdateResponse } from "#api/types/container.ts";
import type { Box } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { until } from "./harness/process.ts";

const MIB = 1 << 20;

async function update(engine: Engine, box: Box, body: object): Promise<ContainerUpdateResponse> {
  return await engine.wire.json("POST", `/containers/${box.id}/update`, body);
}

interface Limits {
  readonly read: (v1: string, v2: string) => Promise<string>;
  unified: boolean;
  swap: boolean;
}

/** Reads a limit of a running container by the names that its file has on v1 and on v2. */
async function limitsOf(engine: Engine, box: Box): Promise<Limits> {
  const info = await engine.wire.json<{ CgroupVersion: string; SwapLimit: boolean }>("GET", "/info");
  const unified = info.CgroupVersion === "2";
  const read = async (v1: string, v2: string) =>
    (await box.exec(["cat", `/sys/fs/cgroup/${unified ? v2 : v1}`])).stdout.trim();
  return { unified, swap: info.SwapLimit, read };
}

test("limits change while the container runs, and hold after a restart", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  const { read, unified, swap } = await limitsOf(engine, box);
  const look = async () => ({
    memory: await read("memory/memory.limit_in_bytes", "memory.max"),
    reservation: await read("memory/memory.soft_limit_in_bytes", "memory.low"),
    quota: await read("cpu/cpu.cfs_quota_us", "cpu.max"),
    cpus: await read("cpuset/cpuset.cpus", "cpuset.cpus"),
    pids: await read("pids/pids.max", "pids.max"),
    swap: swap ? await read("memory/memory.memsw.limit_in_bytes", "memory.swap.max") : "",
  });
  expect(
    await update(engine, box, {
      Memory: 64 * MIB,
      MemorySwap: 96 * MIB,
      MemoryReservation: 32 * MIB,
      NanoCpus: 500_000_000,
      CpuShares: 512,
      CpusetCpus: "0",
      PidsLimit: 50,
    }),
  ).toEqual({ Warnings: swap ? null : [expect.stringContaining("swap limit")] });
  const wanted = {
    memory: `${64 * MIB}`,
    reservation: `${32 * MIB}`,
    quota: unified ? "50000 100000" : "50000",
    cpus: "0",
    pids: "50",
    swap: swap ? `${(unified ? 32 : 96) * MIB}` : "",
  };
  expect(await look()).toEqual(wanted);
  expect((await box.inspect()).HostConfig).toMatchObject({ Memory: 64 * MIB, NanoCpus: 5e8, PidsLimit: 50 });
  await engine.wire.bytes("POST", `/containers/${box.id}/restart?t=0`);
  expect(await look()).toEqual(wanted);

  await update(engine, box, { Memory: 128 * MIB, MemorySwap: -1, PidsLimit: -1, NanoCpus: 1_000_000_000 });
  expect(await look()).toMatchObject({ memory: `${128 * MIB}`, pids: "max", cpus: "0" });
  expect((await look()).quota).toBe(unified ? "100000 100000" : "100000");
  expect((await box.inspect()).HostConfig.PidsLimit).toBe(0);
});

test("a period or a quota alone keeps the other, and -1 lifts the quota", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"], { HostConfig: { CpuPeriod: 50_000, CpuQuota: 20_000 } });
  const { read, unified } = await limitsOf(engine, box);
  const look = async () =>
    unified
      ? await read("", "cpu.max")
      : `${await read("cpu/cpu.cfs_quota_us", "")} ${await read("cpu/cpu.cfs_period_us", "")}`;
  await update(engine, box, { CpuPeriod: 100_000 });
  expect(await look()).toBe("20000 100000");
  await update(engine, box, { CpuQuota: 30_000 });
  expect(await look()).toBe("30000 100000");
  await update(engine, box, { CpuQuota: -1 });
  expect(await look()).toBe(unified ? "max 100000" : "-1 100000");
});

test("limits of a stopped or paused container", async () => {
  await using engine = await startEngine();
  const box = await engine.create(["sleep", "600"]);
  await update(engine, box, { PidsLimit: 20 });
  await box.start();
  const { read } = await limitsOf(engine, box);
  expect(await read("pids/pids.max", "pids.max")).toBe("20");
  await engine.wire.bytes("POST", `/containers/${box.id}/pause`);
  await update(engine, box, { PidsLimit: 30 });
  await engine.wire.bytes("POST", `/containers/${box.id}/unpause`);
  expect(await read("pids/pids.max", "pids.max")).toBe("30");
});

test("a change that the kernel refuses changes nothing", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "dd if=/dev/zero of=/dev/shm/x bs=1M count=24; sleep 600"], {
    HostConfig: { Memory: 64 * MIB, MemorySwap: 64 * MIB, PidsLimit: 40, CpuShares: 300 },
  });
  const { read, unified } = await limitsOf(engine, box);
  const size = async () => (await box.exec(["stat", "-c", "%s", "/dev/shm/x"])).stdout;
  await until("the file is written", async () => (await size()) === `${24 * MIB}\n`);
  const before = (await box.inspect()).HostConfig;
  const look = async () => [
    await read("memory/memory.limit_in_bytes", "memory.max"),
    await read("pids/pids.max", "pids.max"),
    await read("cpu/cpu.shares", "cpu.weight"),
  ];
  const limits = await look();
  // Without swap these pages cannot go: v1 refuses the limit. v2 would kill for it; a node that is not there is refused by both.
  const refused = unified ? { CpusetMems: "0", CpusetCpus: "0-4096" } : { Memory: 6 * MIB, MemorySwap: 6 * MIB };
  await expect(update(engine, box, { ...refused, PidsLimit: 10, CpuShares: 800 })).rejects.toMatchObject({
    status: unified ? 400 : 500,
  });
  expect(await look()).toEqual(limits);
  expect((await box.inspect()).HostConfig).toEqual(before);
});

test.skipIf(Bun.which("runc") === null)("runc changes limits too (where runc is)", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"], { HostConfig: { Runtime: "runc" } });
  const { read, unified } = await limitsOf(engine, box);
  const look = async () => [
    await read("memory/memory.limit_in_bytes", "memory.max"),
    await read("cpu/cpu.cfs_quota_us", "cpu.max"),
    await read("pids/pids.max", "pids.max"),
  ];
  await update(engine, box, { Memory: 64 * MIB, MemorySwap: -1, NanoCpus: 500_000_000, PidsLimit: 40 });
  expect(await look()).toEqual([`${64 * MIB}`, unified ? "50000 100000" : "50000", "40"]);
  await update(engine, box, { PidsLimit: 0 });
  expect((await look())[2]).toBe("max");
});

test("what cannot be is refused in Docker's words", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  const refusals: [body: object, status: number, message: string][] = [
    [{ Memory: 1 }, 400, "Minimum memory limit allowed is 6MB"],
    [{ CpusetCpus: "x" }, 400, "Invalid value x for cpuset cpus"],
    [
      { RestartPolicy: { Name: "always", MaximumRetryCount: 2 } },
      400,
      "invalid restart policy: maximum retry count can only be used with 'on-failure'",
    ],
    [
      { Memory: 64 * MIB },
      409,
      `Cannot update container ${box.id}: Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time`,
    ],
  ];
  const known = await engine.wire.json<{ SwapLimit: boolean }>("GET", "/info");
  for (const [body, status, message] of refusals) {
    // Without swap accounting a limit always comes with unlimited swap.
    if (status === 409 && !known.SwapLimit) continue;
    await expect(update(engine, box, body)).rejects.toMatchObject({ status, message });
  }
  await update(engine, box, { NanoCpus: 500_000_000 });
  await expect(update(engine, box, { CpuQuota: 50_000 })).rejects.toMatchObject({
    status: 409,
    message: `Cannot update container ${box.id}: Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set`,
  });
  await expect(engine.wire.json("POST", "/containers/nope/update", {})).rejects.toMatchObject({
    status: 404,
    message: "No such container: nope",
  });
});

test("the restart policy changes, and is refused to a container that goes when it exits", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  await update(engine, box, { RestartPolicy: { Name: "on-failure", MaximumRetryCount: 3 } });
  expect((await box.inspect()).HostConfig.RestartPolicy).toEqual({ Name: "on-failure", MaximumRetryCount: 3 });
  await update(engine, box, { RestartPolicy: { Name: "", MaximumRetryCount: 7 } });
  expect((await box.inspect()).HostConfig.RestartPolicy).toEqual({ Name: "on-failure", MaximumRetryCount: 3 });
  const fleeting = await engine.run(["sleep", "600"], { HostConfig: { AutoRemove: true } });
  await expect(update(engine, fleeting, { RestartPolicy: { Name: "always" } })).rejects.toMatchObject({
    status: 409,
    message: `Cannot update container ${fleeting.id}: Restart policy cannot be updated because AutoRemove is enabled for the container`,
  });
  expect(await update(engine, fleeting, { RestartPolicy: { Name: "no" } })).toEqual({ Warnings: null });
});

const clients = Bun.which("docker") === null ? ["berth"] : ["berth", "docker"];

test.each(clients)("%s update", async (client) => {
  await using engine = await startEngine();
  const call = (...words: string[]) => (client === "berth" ? engine.berth(words) : engine.docker(words));
  const box = await engine.run(["sleep", "600"], { name: "web" });
  expect(await call("update", "--pids-limit", "30", "--restart", "always", "web")).toMatchObject({
    code: 0,
    stdout: "web\n",
  });
  expect((await box.inspect()).HostConfig).toMatchObject({ PidsLimit: 30, RestartPolicy: { Name: "always" } });
  const { read } = await limitsOf(engine, box);
  expect(await read("pids/pids.max", "pids.max")).toBe("30");
  expect(await call("update", "web")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("you must provide one or more flags when using this command"),
  });
  const events = await engine.wire.bytes("GET", `/events?since=0&until=${((Date.now() + 1) / 1000).toFixed(3)}`);
  expect(new TextDecoder().decode(events)).toContain('"Action":"update"');
});
