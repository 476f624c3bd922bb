/** A container's way from create to removal, and what it says of itself on that way. */
import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { startEngine } from "./harness/engine.ts";
import { until } from "./harness/process.ts";

test("create, start, wait and remove answer in order, and the exit code is the program's", async () => {
  await using engine = await startEngine();
  const box = await engine.create(["sh", "-c", "exit 3"]);
  expect((await box.inspect()).State).toMatchObject({ Status: "created", Running: false, Pid: 0, ExitCode: 0 });
  const exit = box.wait("next-exit");
  await box.start();
  expect(await exit).toBe(3);
  const { State } = await box.inspect();
  expect(State).toMatchObject({ Status: "exited", Running: false, Pid: 0, ExitCode: 3 });
  expect(Date.parse(State.FinishedAt)).toBeGreaterThanOrEqual(Date.parse(State.StartedAt));
  await box.remove();
  expect(await engine.list()).toEqual([]);
});

test("starting what runs and stopping what does not is no error, and changes nothing", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  const { Pid } = (await box.inspect()).State;
  expect((await engine.wire.send("POST", `/containers/${box.id}/start`)).status).toBe(304);
  expect((await box.inspect()).State.Pid).toBe(Pid);
  await box.stop(0);
  expect((await engine.wire.send("POST", `/containers/${box.id}/stop`)).status).toBe(304);
});

test("rm refuses a running container unless forced", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  await expect(engine.remove(box.id)).rejects.toMatchObject({ status: 409 });
  await engine.remove(box.id, { force: true });
  expect(await engine.leftovers()).toEqual([]);
});

test("a daemon that is stopped right after a removal has removed everything", async () => {
  await using engine = await startEngine();
  const boxes = await Promise.all(Array.from({ length: 4 }, () => engine.run(["sleep", "60"])));
  await Promise.all(boxes.map((box) => box.remove({ force: true })));
  await engine.stop();
  const folders = [join(engine.dataRoot, "containers"), join(engine.execRoot, "bundles")];
  expect(await Promise.all(folders.map((folder) => readdir(folder)))).toEqual([[], []]);
  await engine.start();
});

test("stop sends the stop signal first, and KILL once the time is over", async () => {
  await using engine = await startEngine();
  const polite = await engine.run(["sh", "-c", "trap 'exit 7' USR1; echo ready; while :; do sleep 0.05; done"], {
    StopSignal: "SIGUSR1",
  });
  await until("the trap is set", async () => (await polite.logs()).stdout.includes("ready"));
  await polite.stop(20);
  expect((await polite.inspect()).State.ExitCode).toBe(7);

  const deaf = await engine.run(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"]);
  await until("the trap is set", async () => (await deaf.logs()).stdout.includes("ready"));
  await deaf.stop(1);
  expect((await deaf.inspect()).State.ExitCode).toBe(137);
});

test("kill sends any signal by name or number and refuses an unknown one", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "trap 'echo hup' HUP; echo ready; while :; do sleep 0.05; done"]);
  await until("the trap is set", async () => (await box.logs()).stdout.includes("ready"));
  // One after the other: the kernel holds a signal that is pending already only once.
  for (const [count, signal] of ["SIGHUP", "1", "hup"].entries()) {
    await box.kill(signal);
    await until("it arrived", async () => (await box.logs()).stdout.split("hup").length === count + 2);
  }
  await expect(box.kill("NOSUCH")).rejects.toMatchObject({ status: 400 });
  await box.kill();
  expect(await box.wait()).toBe(137);
  await expect(box.kill()).rejects.toMatchObject({ status: 409 });
});

test("restart gives a new process and keeps the file system", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "echo x >> /root/count; sleep 600"]);
  const count = async () => (await box.exec(["cat", "/root/count"])).stdout;
  await until("the first start wrote its line", async () => (await count()) === "x\n");
  const before = (await box.inspect()).State.Pid;
  await engine.wire.bytes("POST", `/containers/${box.id}/restart?t=0`);
  const after = (await box.inspect()).State.Pid;
  expect(after).not.toBe(before);
  await until("the second start wrote its line", async () => (await count()) === "x\nx\n");
});

test("wait knows its conditions", async () => {
  await using engine = await startEngine();
  const box = await engine.create(["sh", "-c", "exit 4"], { HostConfig: { AutoRemove: true } });
  // Not running: the answer is there at once, though it never ran.
  expect(await box.wait("not-running")).toBe(0);
  const removed = box.wait("removed");
  const exit = box.wait("next-exit");
  await box.start();
  expect(await exit).toBe(4);
  expect(await removed).toBe(4);
  await until("it is gone", async () => (await engine.list()).length === 0);
});

test("a container can be named, renamed and found by name, id and prefix", async () => {
  await using engine = await startEngine();
  const box = await engine.create(["true"], { name: "first" });
  await expect(engine.create(["true"], { name: "first" })).rejects.toMatchObject({
    status: 409,
    message: `Conflict. The container name "/first" is already in use by container "${box.id}". You have to remove (or rename) that container to be able to reuse that name.`,
  });
  await engine.wire.bytes("POST", "/containers/first/rename?name=second");
  for (const word of ["second", box.id, box.id.slice(0, 12)]) {
    expect((await engine.wire.json<{ Name: string }>("GET", `/containers/${word}/json`)).Name).toBe("/second");
  }
  await expect(engine.wire.json("GET", "/containers/first/json")).rejects.toMatchObject({
    status: 404,
    message: "No such container: first",
  });
  const other = await engine.create(["true"], { name: "first" });
  await expect(engine.wire.bytes("POST", `/containers/${other.id}/rename?name=second`)).rejects.toMatchObject({
    status: 409,
  });
});

test("ps filters by status, name, label, exit code and order of creation", async () => {
  await using engine = await startEngine();
  const running = await engine.run(["sleep", "600"], { name: "filter-run", Labels: { colour: "red" } });
  const exited = await engine.run(["sh", "-c", "exit 5"], { name: "filter-exit", Labels: { colour: "blue" } });
  await exited.wait();
  const created = await engine.create(["true"], { name: "other" });
  const find = async (filters: Record<string, string[]>) => {
    const list = await engine.wire.json<{ Id: string }[]>(
      "GET",
      `/containers/json?all=1&filters=${encodeURIComponent(JSON.stringify(filters))}`,
    );
    return list.map(({ Id }) => Id).toSorted();
  };
  expect(await find({ status: ["running"] })).toEqual([running.id]);
  expect(await find({ status: ["created", "exited"] })).toEqual([created.id, exited.id].toSorted());
  expect(await find({ name: ["^/?filter-"] })).toEqual([running.id, exited.id].toSorted());
  expect(await find({ label: ["colour=red"] })).toEqual([running.id]);
  expect(await find({ label: ["colour"] })).toEqual([running.id, exited.id].toSorted());
  expect(await find({ exited: ["5"] })).toEqual([exited.id]);
  expect(await find({ id: [created.id.slice(0, 12)] })).toEqual([created.id]);
  expect(await find({ before: ["other"] })).toEqual([running.id, exited.id].toSorted());
  expect(await find({ since: ["filter-run"] })).toEqual([created.id, exited.id].toSorted());
  expect(await find({ ancestor: ["berth-test"] })).toHaveLength(3);
  await expect(find({ nonsense: ["x"] })).rejects.toMatchObject({ status: 400 });
});

test("what is set shows inside: environment, folder, user, host name, read-only root, limits", async () => {
  await using engine = await startEngine();
  const show =
    'echo "$COLOUR|$(pwd)|$(id -u):$(id -g):$(id -G)|$(hostname)"; touch /x 2>/dev/null || echo read-only; touch /tmp/x && echo tmpfs';
  const box = await engine.run(["-c", show], {
    Entrypoint: ["sh"],
    Env: ["COLOUR=green"],
    WorkingDir: "/made/for/this",
    User: "app:staff",
    Hostname: "harbour",
    HostConfig: { ReadonlyRootfs: true, Tmpfs: { "/tmp": "mode=1777" } },
  });
  expect(await box.wait()).toBe(0);
  expect((await box.logs()).stdout).toBe("green|/made/for/this|1000:2000:2000|harbour\nread-only\ntmpfs\n");
});

test("the default is locked down, and privileged is not", async () => {
  await using engine = await startEngine();
  const probe =
    "grep -E '^(CapEff|Seccomp):' /proc/self/status; (echo x > /proc/sys/kernel/hostname) 2>&1; cat /proc/timer_list | wc -c";
  const plain = await engine.run(["sh", "-c", probe]);
  await plain.wait();
  const { stdout } = await plain.logs();
  expect(stdout).toContain("CapEff:\t00000000a80425fb");
  expect(stdout).toContain("Seccomp:\t2");
  expect(stdout).toContain("hostname: Read-only file system\n0\n");
  const privileged = await engine.run(["grep", "-E", "^(CapEff|Seccomp):", "/proc/self/status"], {
    HostConfig: { Privileged: true },
  });
  await privileged.wait();
  const own = /CapBnd:\t(.*)/.exec(await Bun.file("/proc/self/status").text())?.[1];
  expect((await privileged.logs()).stdout).toBe(`CapEff:\t${own}\nSeccomp:\t0\n`);
  const chosen = await engine.run(["grep", "CapEff", "/proc/self/status"], {
    HostConfig: { CapDrop: ["ALL"], CapAdd: ["NET_ADMIN"] },
  });
  await chosen.wait();
  expect((await chosen.logs()).stdout).toBe("CapEff:\t0000000000001000\n");
});

test("with --init the program is not process 1 and orphans are reaped", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "echo $$; (sleep 0.1 &); sleep 600"], { HostConfig: { Init: true } });
  await until("it printed its pid", async () => Number((await box.logs()).stdout) > 1);
  await until("the orphan is reaped", async () => !/\bZ\b/.test((await box.exec(["ps", "-o", "stat"])).stdout));
});

test("memory, processor and process limits reach the cgroup, and running out of memory is told", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "head -c 200m /dev/zero | tail"], {
    HostConfig: { Memory: 64 << 20, MemorySwap: 64 << 20, NanoCpus: 500_000_000, PidsLimit: 32 },
  });
  expect(await box.wait()).toBe(137);
  const { State, HostConfig } = await box.inspect();
  expect(State.OOMKilled).toBe(true);
  expect(HostConfig).toMatchObject({ Memory: 64 << 20, NanoCpus: 500_000_000, PidsLimit: 32 });
  const forks = await engine.run(["sh", "-c", "for i in $(seq 40); do sleep 5 & done; echo all"], {
    HostConfig: { PidsLimit: 8 },
  });
  await forks.wait();
  expect((await forks.logs()).stderr).toContain("can't fork");
});

test("running out of memory is told of a container that lives on, each time", async () => {
  await using engine = await startEngine();
  const greedy = "head -c 200m /dev/zero | tail >/dev/null; true";
  const box = await engine.run(["sleep", "600"], { HostConfig: { Memory: 32 << 20, MemorySwap: 32 << 20 } });
  const told = async (): Promise<number> => {
    const filters = encodeURIComponent(JSON.stringify({ container: [box.id], event: ["oom"] }));
    const until = (Date.now() / 1000).toFixed(3);
    const bytes = await engine.wire.bytes("GET", `/events?since=0&until=${until}&filters=${filters}`);
    return new TextDecoder().decode(bytes).trim().split("\n").filter(Boolean).length;
  };
  expect((await box.inspect()).State.OOMKilled).toBe(false);
  await box.exec(["sh", "-c", greedy]);
  await until("the first kill is told", async () => (await told()) > 0);
  const { State } = await box.inspect();
  expect(State).toMatchObject({ OOMKilled: true, Running: true });
  const before = await told();
  await box.exec(["sh", "-c", greedy]);
  await until("the second kill is told", async () => (await told()) > before);
  // A daemon that comes later still knows.
  await engine.kill9();
  await engine.start();
  expect((await box.inspect()).State).toMatchObject({ OOMKilled: true, Running: true });
  await box.stop(0);
  await box.start();
  expect((await box.inspect()).State.OOMKilled).toBe(false);
});

test("events tell the story of a run", async () => {
  await using engine = await startEngine();
  const since = Date.now() / 1000 - 1;
  const box = await engine.run(["sh", "-c", "exit 2"], { name: "story", HostConfig: { AutoRemove: true } });
  await until("it is gone", async () => (await engine.list()).length === 0);
  const filters = encodeURIComponent(JSON.stringify({ container: [box.id] }));
  const stream = new TextDecoder().decode(
    await engine.wire.bytes("GET", `/events?since=${since}&until=${Math.ceil(Date.now() / 1000)}&filters=${filters}`),
  );
  const events = stream
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line) as { Type: string; Action: string; Actor: { Attributes: Record<string, string> } });
  expect(events.filter(({ Type }) => Type === "container").map(({ Action }) => Action)).toEqual([
    "create",
    "start",
    "die",
    "destroy",
  ]);
  expect(events.find(({ Action }) => Action === "die")?.Actor.Attributes).toMatchObject({
    exitCode: "2",
    name: "story",
  });
});
