/** `stats`: what the API tells against what the kernel's files say, and what the command line makes of it. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { ContainerStats, CpuStats } from "#api/types/container-stats.ts";
import type { Box } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { until } from "./harness/process.ts";

const one = async (engine: Engine, id: string, query = "stream=0"): Promise<ContainerStats> =>
  await engine.wire.json("GET", `/containers/${id}/stats?${query}`);

/** The samples of a stream, until the caller has enough. */
async function* stream(engine: Engine, id: string): AsyncGenerator<ContainerStats> {
  const response = await engine.wire.send("GET", `/containers/${id}/stats`);
  let rest = "";
  for await (const chunk of response.body ?? []) {
    const lines = (rest + new TextDecoder().decode(chunk)).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line) as ContainerStats;
  }
}

/** Reads a file of the container's group: its name on v1 with its controller, and on v2. */
async function groupReader(box: Box): Promise<(v1: [controller: string, name: string], v2: string) => string> {
  const rows = readFileSync(`/proc/${(await box.inspect()).State.Pid}/cgroup`, "utf8")
    .trim()
    .split("\n");
  const path = (controller: string) =>
    rows.map((row) => row.split(":")).find(([, names = ""]) => names.split(",").includes(controller))?.[2];
  return ([controller, name], v2) => {
    const own = path(controller);
    const file = own === undefined ? `${path("")}/${v2}` : `${controller}${own}/${name}`;
    return readFileSync(`/sys/fs/cgroup/${file}`, "utf8").trim();
  };
}

const keyed = (text: string, name: string) => Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1]);

/** Between two readings of a counter that grows, give or take 5 %. */
function expectWithin(value: number | undefined, before: number, after: number): void {
  expect(value).toBeGreaterThanOrEqual(Math.floor(before * 0.95));
  expect(value).toBeLessThanOrEqual(Math.ceil(after * 1.05));
}

const zero: CpuStats = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};

test("figures are those of the kernel's files", async () => {
  await using engine = await startEngine();
  const script =
    "head -c 20000000 /dev/zero > /tmp/ballast; ping -c 3 -i 0.01 127.0.0.1; echo ready; while :; do :; done";
  const box = await engine.run(["sh", "-c", script], {
    HostConfig: { NanoCpus: 200_000_000, Memory: 64 << 20, PidsLimit: 40, Tmpfs: { "/tmp": "" } },
  });
  await until("the container is busy", async () => (await box.logs()).stdout.includes("ready"));
  const read = await groupReader(box);
  const total = () => {
    const v1orV2 = read(["cpuacct", "cpuacct.usage"], "cpu.stat");
    return v1orV2.includes("usage_usec") ? keyed(v1orV2, "usage_usec") * 1000 : Number(v1orV2);
  };
  const memory = () => Number(read(["memory", "memory.usage_in_bytes"], "memory.current"));
  const inactive = () => {
    const text = read(["memory", "memory.stat"], "memory.stat");
    return keyed(text, text.includes("total_cache") ? "total_inactive_file" : "inactive_file");
  };
  const before = { total: total(), memory: memory() };
  const stats = await one(engine, box.id);
  expectWithin(stats.cpu_stats.cpu_usage.total_usage, before.total, total());
  expectWithin(stats.memory_stats.usage, Math.min(before.memory, memory()), Math.max(before.memory, memory()));
  const details = stats.memory_stats.stats ?? {};
  expect(details["total_inactive_file"] ?? details["inactive_file"]).toBe(inactive());
  expect(stats.memory_stats).toMatchObject({ limit: 64 << 20 });
  expect(stats.memory_stats.usage).toBeGreaterThan(20_000_000);
  expect(stats.pids_stats).toEqual({ current: 1, limit: 40 });
  expect(stats.cpu_stats.throttling_data.periods).toBeGreaterThan(0);
  expect(stats).toMatchObject({ id: box.id, name: (await box.inspect()).Name, num_procs: 0, storage_stats: {} });

  // Its own word for the network's counters, from inside.
  await box.exec(["sh", "-c", "ping -c 3 -i 0.01 -s 1000 $(ip route | sed -n 's/default via \\([^ ]*\\).*/\\1/p')"]);
  const inside = async (name: string) =>
    Number((await box.exec(["cat", `/sys/class/net/eth0/statistics/${name}`])).stdout);
  const [rx, tx] = [await inside("rx_bytes"), await inside("tx_bytes")];
  const { networks } = await one(engine, box.id, "stream=0&one-shot=1");
  expect(Object.keys(networks ?? {})).toEqual(["eth0"]);
  expectWithin(networks?.["eth0"]?.rx_bytes, rx, await inside("rx_bytes"));
  expectWithin(networks?.["eth0"]?.tx_bytes, tx, await inside("tx_bytes"));
  expect(rx).toBeGreaterThan(3000);
});

test("a single answer comes at once and can be compared with the moments before it", async () => {
  await using engine = await startEngine();
  const idle = await engine.run(["sleep", "600"]);
  const busy = await engine.run(["sh", "-c", "while :; do :; done"], { HostConfig: { NanoCpus: 300_000_000 } });
  const read = await groupReader(busy);
  await until("it is throttled", () =>
    Promise.resolve(keyed(read(["cpu", "cpu.stat"], "cpu.stat"), "nr_throttled") > 12),
  );
  const begun = performance.now();
  const [worker, sleeper] = await Promise.all([one(engine, busy.id), one(engine, idle.id)]);
  // Docker takes one to two seconds for it.
  expect(performance.now() - begun).toBeLessThan(900);
  const span = (Date.parse(worker.read) - Date.parse(worker.preread)) * 1e6;
  const cpus = worker.cpu_stats.online_cpus ?? 0;
  const system = (worker.cpu_stats.system_cpu_usage ?? 0) - (worker.precpu_stats.system_cpu_usage ?? 0);
  const used = worker.cpu_stats.cpu_usage.total_usage - worker.precpu_stats.cpu_usage.total_usage;
  expect(span).toBeGreaterThan(1e9);
  // Time that the host's own host took away is not in it.
  expect(system / (span * cpus)).toBeLessThan(1.1);
  expect(used / span).toBeGreaterThan(0.02);
  expect(used / span).toBeLessThan(0.4);
  const slept = sleeper.cpu_stats.cpu_usage.total_usage - sleeper.precpu_stats.cpu_usage.total_usage;
  expect(slept).toBeLessThan(used / 2);
  const row = await engine.berth(["stats", "--no-stream", "--format", "{{.CPUPerc}}", busy.id]);
  expect(Number(row.stdout.trim().replace("%", ""))).toBeGreaterThan(2);
  const later = await one(engine, busy.id);
  const counted = (later.cpu_stats.system_cpu_usage ?? 0) - (worker.precpu_stats.system_cpu_usage ?? 0);
  const passed = (Date.parse(later.read) - Date.parse(worker.preread)) * 1e6 * cpus;
  // It is a share of the time that the host counts.
  expect(Number(row.stdout.trim().replace("%", ""))).toBeLessThan((45 * passed) / Math.min(counted, passed));
});

test("a stream tells a sample each second, each with the last one's times, and ends with the container", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  const samples: ContainerStats[] = [];
  for await (const sample of stream(engine, box.id)) {
    samples.push(sample);
    if (samples.length === 3) await box.kill();
    // A stopped one has nothing to tell, but is still there.
    if (sample.cpu_stats.system_cpu_usage === undefined) await engine.remove(box.id);
  }
  const [first, second] = samples;
  expect(second?.precpu_stats).toEqual(first!.cpu_stats);
  expect(second?.preread).toBe(first!.read);
  const apart = Date.parse(second!.read) - Date.parse(first!.read);
  expect(apart).toBeGreaterThan(700);
  expect(apart).toBeLessThan(1900);
  expect(samples.at(-1)).toMatchObject({ id: box.id, cpu_stats: zero, pids_stats: {}, memory_stats: {} });
});

test("what is not there, does not run, or contradicts itself is answered as by Docker", async () => {
  await using engine = await startEngine();
  const stopped = await engine.create(["true"], { name: "quiet" });
  expect(await one(engine, stopped.id)).toEqual({
    name: "/quiet",
    id: stopped.id,
    read: "0001-01-01T00:00:00Z",
    preread: "0001-01-01T00:00:00Z",
    pids_stats: {},
    blkio_stats: {
      io_service_bytes_recursive: null,
      io_serviced_recursive: null,
      io_queue_recursive: null,
      io_service_time_recursive: null,
      io_wait_time_recursive: null,
      io_merged_recursive: null,
      io_time_recursive: null,
      sectors_recursive: null,
    },
    num_procs: 0,
    storage_stats: {},
    cpu_stats: zero,
    precpu_stats: zero,
    memory_stats: {},
  });
  await expect(one(engine, "nobody")).rejects.toMatchObject({ status: 404, message: "No such container: nobody" });
  await expect(one(engine, stopped.id, "stream=1&one-shot=1")).rejects.toMatchObject({
    status: 400,
    message: "cannot have stream=true and one-shot=true",
  });
  const running = await engine.run(["sleep", "600"], { HostConfig: { NetworkMode: "none" } });
  const oneShot = await one(engine, running.id, "stream=0&one-shot=1");
  expect(oneShot).toMatchObject({ precpu_stats: zero, preread: "0001-01-01T00:00:00Z" });
  expect(oneShot.networks).toBeUndefined();
  const joined = await engine.run(["sleep", "600"]);
  const guest = await engine.run(["sleep", "600"], { HostConfig: { NetworkMode: `container:${joined.id}` } });
  expect(Object.keys((await one(engine, guest.id)).networks ?? {})).toEqual(["eth0"]);
});

test("the command line prints tables, templates and what it cannot find", async () => {
  await using engine = await startEngine();
  await engine.run(["sleep", "600"], { name: "first", HostConfig: { Memory: 64 << 20 } });
  await engine.create(["true"], { name: "second" });
  const table = await engine.berth(["stats", "--no-stream"]);
  expect(table.stdout).toMatch(/^CONTAINER ID +NAME +CPU % +MEM USAGE \/ LIMIT +MEM % +NET I\/O +BLOCK I\/O +PIDS\n/);
  expect(table.stdout).toMatch(/\n[0-9a-f]{12} +first +\d+\.\d\d% +\S+B \/ 64MiB +\d+\.\d\d% .* 1\n$/);
  const all = await engine.berth(["container", "stats", "-a", "--no-stream", "--format", "{{.Name}} {{.PIDs}}"]);
  expect(all.stdout.split("\n").toSorted()).toEqual(["", "first 1", "second 0"]);
  const json = await engine.berth(["stats", "--no-stream", "--no-trunc", "--format", "json", "first"]);
  expect(Object.keys(JSON.parse(json.stdout) as object)).toEqual(
    "BlockIO CPUPerc Container ID MemPerc MemUsage Name NetIO PIDs".split(" "),
  );
  expect((JSON.parse(json.stdout) as { ID: string }).ID).toHaveLength(64);
  const absent = await engine.berth(["stats", "--no-stream", "first", "nobody", "nothing"]);
  expect(absent).toMatchObject({
    code: 1,
    stdout: "",
    stderr:
      "Error response from daemon: No such container: nobody\nError response from daemon: No such container: nothing\n",
  });
});

test("the live view follows containers as they come and go, and says when the daemon leaves", async () => {
  await using engine = await startEngine();
  const words = [...engine.program, "-H", `unix://${engine.socket}`, "stats", "--format", "{{.Name}}"];
  await using view = Bun.spawn(words, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  let picture = "";
  const seen = (async () => {
    for await (const chunk of view.stdout) {
      picture = (picture + new TextDecoder().decode(chunk)).slice(-200);
    }
  })();
  const shows = (names: string[]) =>
    until(`the view shows ${names.join()}`, () =>
      Promise.resolve(picture.endsWith(`\x1b[H${names.map((name) => `${name}\x1b[K\n`).join("")}\x1b[J`)),
    );
  await shows([]);
  const box = await engine.run(["sleep", "600"], { name: "guest" });
  await shows(["guest"]);
  await box.kill();
  await shows([]);
  await engine.stop();
  expect(await view.exited).toBe(1);
  await seen;
  await engine.start();
});
