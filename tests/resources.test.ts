/** Limits, read where the kernel keeps them, on cgroup v1, v2 and the hybrid of both. */
import { expect, test } from "bun:test";
import type { ContainerOverrides } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";

type Overrides = NonNullable<ContainerOverrides["HostConfig"]>;

/** Names of the files on v1 and on v2, and what they must say; undefined where the hierarchy has no such file. */
type Expectation = [v1: string, v2: string, content: [v1: string, v2: string | RegExp]];

async function limits(engine: Engine, HostConfig: Overrides, files: readonly Expectation[]): Promise<void> {
  const unified = (await engine.wire.json<{ CgroupVersion: string }>("GET", "/info")).CgroupVersion === "2";
  const paths = files.map(([v1, v2]) => `/sys/fs/cgroup/${unified ? v2 : v1}`);
  const box = await engine.run(["cat", ...paths], { HostConfig });
  await box.wait();
  const { stdout, stderr } = await box.logs();
  expect(stderr).toBe("");
  const lines = stdout.trim().split("\n");
  for (const [index, [, , [v1, v2]]] of files.entries()) {
    const wanted = unified ? v2 : v1;
    if (wanted instanceof RegExp) expect(lines[index] ?? "").toMatch(wanted);
    else expect([paths[index], lines[index]]).toEqual([paths[index], wanted]);
  }
}

async function warnings(engine: Engine, HostConfig: Overrides): Promise<string[]> {
  const body = { Image: "berth-test", Cmd: ["true"], HostConfig };
  return (await engine.wire.json<{ Warnings: string[] }>("POST", "/containers/create", body)).Warnings;
}

test("memory, processor and process limits are the cgroup's", async () => {
  await using engine = await startEngine();
  const { SwapLimit } = await engine.wire.json<{ SwapLimit: boolean }>("GET", "/info");
  const swap: Expectation[] = SwapLimit
    ? [["memory/memory.memsw.limit_in_bytes", "memory.swap.max", [`${128 << 20}`, `${64 << 20}`]]]
    : [];
  await limits(
    engine,
    {
      Memory: 64 << 20,
      MemorySwap: SwapLimit ? 128 << 20 : -1,
      MemoryReservation: 32 << 20,
      NanoCpus: 500_000_000,
      CpuShares: 512,
      CpusetCpus: "0",
      CpusetMems: "0",
      PidsLimit: 50,
    },
    [
      ["memory/memory.limit_in_bytes", "memory.max", [`${64 << 20}`, `${64 << 20}`]],
      ["memory/memory.soft_limit_in_bytes", "memory.low", [`${32 << 20}`, `${32 << 20}`]],
      ...swap,
      ["cpu/cpu.cfs_quota_us", "cpu.max", ["50000", "50000 100000"]],
      ["cpu/cpu.shares", "cpu.weight", ["512", /^\d+$/]],
      ["cpuset/cpuset.cpus", "cpuset.cpus", ["0", "0"]],
      ["pids/pids.max", "pids.max", ["50", "50"]],
    ],
  );
  await limits(engine, { CpuPeriod: 50_000, CpuQuota: 20_000 }, [
    ["cpu/cpu.cfs_quota_us", "cpu.max", ["20000", "20000 50000"]],
    ["pids/pids.max", "pids.max", ["max", "max"]],
  ]);
});

test("limits that make no sense are refused in Docker's words", async () => {
  await using engine = await startEngine();
  const cases: [Overrides, string][] = [
    [{ Memory: 1 << 20 }, "Minimum memory limit allowed is 6MB"],
    [
      { Memory: 64 << 20, MemorySwap: 32 << 20 },
      "Minimum memoryswap limit should be larger than memory limit, see usage",
    ],
    [{ MemorySwap: 64 << 20 }, "You should always set the Memory limit when using Memoryswap limit, see usage"],
    [{ MemoryReservation: 1 << 20 }, "Minimum memory reservation allowed is 6MB"],
    [
      { Memory: 32 << 20, MemoryReservation: 64 << 20 },
      "Minimum memory limit can not be less than memory reservation limit, see usage",
    ],
    [{ NanoCpus: 1e9, CpuQuota: 1000 }, "Conflicting options: Nano CPUs and CPU Quota cannot both be set"],
    [{ CpuPeriod: 10 }, "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"],
    [{ CpuQuota: 10 }, "CPU cfs quota can not be less than 1ms (i.e. 1000)"],
    [{ CpuRealtimeRuntime: 1000 }, "Your kernel does not support CPU real-time scheduler"],
    [{ CpusetCpus: "x" }, "Invalid value x for cpuset cpus"],
    [{ Ulimits: [{ Name: "none", Soft: 1, Hard: 1 }] }, "invalid ulimit type: none"],
    [
      { DeviceRequests: [{ Driver: "", Count: -1, DeviceIDs: null, Capabilities: [["gpu"]], Options: null }] },
      'could not select device driver "" with capabilities: [[gpu]]',
    ],
    [{ Isolation: "hyperv" }, "invalid isolation 'hyperv' on linux"],
    [{ StorageOpt: { size: "1g" } }, "--storage-opt is not supported: size"],
    [{ DeviceCgroupRules: ["x"] }, "invalid device cgroup rule format: 'x'"],
  ];
  for (const [HostConfig, message] of cases) {
    await expect(engine.create(["true"], { HostConfig })).rejects.toMatchObject({ status: 400, message });
  }
  await expect(engine.create(["true"], { StopSignal: "SIGNONE" })).rejects.toMatchObject({
    status: 400,
    message: "invalid signal: SIGNONE",
  });
});

test("a limit that this kernel lacks is dropped with a warning, and others hold", async () => {
  await using engine = await startEngine();
  expect(await warnings(engine, { Memory: 64 << 20, PidsLimit: 10, NanoCpus: 1e9 })).toEqual([]);
  const weight = await warnings(engine, { BlkioWeight: 300 });
  const dropped = "Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.";
  expect([[], [dropped]]).toContainEqual(weight);
  expect(await warnings(engine, { CpuPercent: 10 })).toEqual([
    "linux does not support CPU percent. Percent discarded.",
  ]);
});

test("the privileged see the host's devices and may use them", async () => {
  await using engine = await startEngine();
  const script = "test -c /dev/kmsg && mknod /tmp/kmsg c 1 11 && head -c 0 /tmp/kmsg && echo open";
  const plain = await engine.run(["sh", "-c", script]);
  expect(await plain.wait()).toBe(1);
  const privileged = await engine.run(["sh", "-c", script], { HostConfig: { Privileged: true } });
  expect(await privileged.wait()).toBe(0);
});
