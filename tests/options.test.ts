import { expect, test } from "bun:test";
import { hostname } from "node:os";
import type { ContainerOverrides } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { dockerArchive, busyboxLayer } from "./harness/image.ts";

async function output(engine: Engine, script: string, overrides: ContainerOverrides = {}): Promise<string> {
  const box = await engine.run(["sh", "-c", `{ ${script}; } 2>&1`], overrides);
  await box.wait();
  return (await box.logs()).stdout;
}

async function refusal(engine: Engine, overrides: ContainerOverrides): Promise<string> {
  const error: unknown = await engine.create(["true"], overrides).then(
    () => new Error("it was accepted"),
    (reason: unknown) => reason,
  );
  return `${String((error as { status?: number }).status)} ${(error as Error).message}`;
}

test("who shares a network or the host's name space has the name that is known there", async () => {
  await using engine = await startEngine();
  await engine.run(["sleep", "600"], { name: "owner", Hostname: "harbour", Domainname: "example.test" });
  const shared = { HostConfig: { NetworkMode: "container:owner" } };
  expect(await output(engine, "hostname; cat /etc/hostname; hostname -f", shared)).toBe(
    "harbour\nharbour\nharbour.example.test\n",
  );
  expect(await output(engine, "hostname", { HostConfig: { UTSMode: "host" } })).toBe(`${hostname()}\n`);
  expect(await output(engine, "hostname", { HostConfig: { NetworkMode: "host" } })).toBe(`${hostname()}\n`);
  expect(await refusal(engine, { Hostname: "x", HostConfig: { UTSMode: "host" } })).toBe(
    "400 conflicting options: hostname and the UTS mode",
  );
  expect(await refusal(engine, { Hostname: "x", ...shared })).toBe(
    "400 conflicting options: hostname and the network mode",
  );
  const published = {
    // The command line exposes what it publishes.
    ExposedPorts: { "80/tcp": {} },
    HostConfig: { NetworkMode: "container:owner", PortBindings: { "80/tcp": [] } },
  };
  expect(await refusal(engine, published)).toBe(
    "400 conflicting options: port publishing and the container type network mode",
  );
});

test("users are found by name and number, with their groups", async () => {
  await using engine = await startEngine();
  const id = (User: string, GroupAdd: string[] = []) =>
    output(engine, "id -u; id -g; id -G", { User, HostConfig: { GroupAdd } });
  expect(await id("")).toBe("0\n0\n0\n");
  expect(await id("app")).toBe("1000\n1000\n1000 2000\n");
  expect(await id("1000")).toBe("1000\n1000\n1000 2000\n");
  expect(await id("app:staff")).toBe("1000\n2000\n2000\n");
  expect(await id("4321:8765")).toBe("4321\n8765\n8765\n");
  expect(await id("4321")).toBe("4321\n0\n0\n");
  expect(await id("app", ["nogroup", "77"])).toBe("1000\n1000\n1000 77 2000 65534\n");
  await expect(id("nobody-here")).rejects.toThrow(
    "unable to find user nobody-here: no matching entries in passwd file",
  );
  await expect(id("app:none")).rejects.toThrow("unable to find group none: no matching entries in group file");
  await expect(id("", ["none"])).rejects.toThrow("Unable to find group none: no matching entries in group file");
});

test("an entrypoint can be replaced, and an empty one clears the image's", async () => {
  await using engine = await startEngine({ image: false });
  const config = { Entrypoint: ["echo", "image"], Cmd: ["command"] };
  await engine.load(dockerArchive({ tags: ["berth-test:latest"], layers: [await busyboxLayer()], config }));
  const run = async (request: object): Promise<string> => {
    const { Id } = await engine.wire.json<{ Id: string }>("POST", "/containers/create", {
      Image: "berth-test",
      ...request,
    });
    await engine.wire.bytes("POST", `/containers/${Id}/start`);
    await engine.wire.bytes("POST", `/containers/${Id}/wait`);
    const logs = await engine.wire.bytes("GET", `/containers/${Id}/logs?stdout=1`);
    return new TextDecoder().decode(logs.subarray(8));
  };
  expect(await run({})).toBe("image command\n");
  expect(await run({ Cmd: ["other"] })).toBe("image other\n");
  expect(await run({ Entrypoint: ["echo", "mine"] })).toBe("mine\n");
  expect(await run({ Entrypoint: [""], Cmd: ["echo", "bare"] })).toBe("bare\n");
  await expect(run({ Entrypoint: [""] })).rejects.toMatchObject({ status: 400, message: "no command specified" });
});

test("limits of the process, kernel settings and shared memory take effect", async () => {
  await using engine = await startEngine();
  const script =
    "ulimit -Sn; ulimit -Hn; cat /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax /proc/self/oom_score_adj; " +
    "df -k /dev/shm | tail -1 | tr -s ' ' | cut -d ' ' -f 2";
  const HostConfig = {
    Ulimits: [{ Name: "nofile", Soft: 100, Hard: 200 }],
    Sysctls: { "net.core.somaxconn": "512", "kernel.msgmax": "10000" },
    OomScoreAdj: 500,
    ShmSize: 32 << 20,
  };
  expect(await output(engine, script, { HostConfig })).toBe("100\n200\n512\n10000\n500\n32768\n");
  expect(await refusal(engine, { HostConfig: { Sysctls: { "vm.swappiness": "1" } } })).toBe(
    "400 sysctl 'vm.swappiness' is not allowed",
  );
  expect(await refusal(engine, { HostConfig: { OomScoreAdj: 2000 } })).toBe(
    "400 Invalid value 2000, range for oom score adj is [-1000, 1000]",
  );
  expect(await refusal(engine, { HostConfig: { ShmSize: -1 } })).toBe("400 SHM size can not be less than 0");
});

test("devices and rules open exactly what they name", async () => {
  await using engine = await startEngine();
  const mapped = [{ PathOnHost: "/dev/null", PathInContainer: "/dev/mine", CgroupPermissions: "rwm" }];
  expect(
    await output(engine, "echo x >/dev/mine && stat -c %t:%T /dev/mine", { HostConfig: { Devices: mapped } }),
  ).toBe("1:3\n");
  // The capability is the device's own demand: without a rule it does not help.
  const probe = "mknod /kmsg c 1 11; head -c 0 /kmsg && echo opened";
  const CapAdd = ["SYSLOG"];
  expect(await output(engine, probe, { HostConfig: { CapAdd } })).toBe("head: /kmsg: Operation not permitted\n");
  expect(await output(engine, probe, { HostConfig: { CapAdd, DeviceCgroupRules: ["c 1:11 rwm"] } })).toBe("opened\n");
  const absent = [{ PathOnHost: "/dev/none", PathInContainer: "/dev/none", CgroupPermissions: "rwm" }];
  await expect(engine.run(["true"], { HostConfig: { Devices: absent } })).rejects.toThrow(
    'error gathering device information while adding custom device "/dev/none": no such file or directory',
  );
});

test("another OCI runtime runs a container when it is chosen, and an unknown one is refused", async () => {
  await using engine = await startEngine({ arguments: ["--add-runtime", `mine=${Bun.which("crun") ?? ""}`] });
  expect(await refusal(engine, { HostConfig: { Runtime: "other" } })).toBe(
    "400 unknown or invalid runtime name: other",
  );
  const info = await engine.wire.json<{ Runtimes: Record<string, { path: string }>; DefaultRuntime: string }>(
    "GET",
    "/info",
  );
  expect(info.DefaultRuntime).toBe("crun");
  for (const runtime of Object.keys(info.Runtimes)) {
    const box = await engine.run(["sleep", "600"], { HostConfig: { Runtime: runtime } });
    expect((await box.inspect()).HostConfig.Runtime).toBe(runtime);
    expect((await box.exec(["grep", "Seccomp:", "/proc/self/status"])).stdout).toBe("Seccomp:\t2\n");
    await engine.wire.bytes("POST", `/containers/${box.id}/pause`);
    await engine.wire.bytes("POST", `/containers/${box.id}/unpause`);
    await box.remove({ force: true });
  }
  expect(Object.keys(info.Runtimes)).toContain("mine");
  expect(await engine.leftovers()).toEqual([]);
});

test("log options show labels and variables, and what is not known is refused", async () => {
  await using engine = await startEngine();
  const LogConfig = { Type: "json-file", Config: { labels: "team", "env-regex": "^CO" } };
  const box = await engine.run(["echo", "hi"], {
    Labels: { team: "a b", other: "x" },
    Env: ["COLOUR=red", "SIZE=1"],
    HostConfig: { LogConfig },
  });
  await box.wait();
  expect((await box.logs("details=1")).stdout).toBe("COLOUR=red,team=a+b hi\n");
  const with_ = (Type: string, Config: Record<string, string>) => ({ HostConfig: { LogConfig: { Type, Config } } });
  expect(await refusal(engine, with_("syslog", {}))).toBe(
    "501 the log driver 'syslog' is not supported yet: use json-file or local",
  );
  expect(await refusal(engine, with_("", { colour: "red" }))).toBe(
    "400 unknown log opt 'colour' for json-file log driver",
  );
});

test("what a request refers to and is not there is no missing image", async () => {
  await using engine = await startEngine();
  for (const HostConfig of [
    { IpcMode: "container:none" },
    { PidMode: "container:none" },
    { NetworkMode: "container:none" },
    { VolumesFrom: ["none"] },
  ]) {
    expect(await refusal(engine, { HostConfig })).toBe("400 No such container: none");
  }
  expect(await refusal(engine, { HostConfig: { NetworkMode: "none-such" } })).toBe("400 network none-such not found");
  expect(await refusal(engine, { HostConfig: { Links: ["other"] } })).toBe(
    "400 could not get container for other: No such container: other",
  );
});
