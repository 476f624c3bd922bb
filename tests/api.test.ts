/** What the Engine API tells of containers, execs and events: every field, every filter. */
import { expect, test } from "bun:test";
import type { ContainerInspect, ContainerSummary } from "#api/types/container.ts";
import type { EventMessage } from "#api/types/event.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { testImage } from "./harness/image.ts";
import { Wire } from "./harness/wire.ts";

const fields = (text: string): string[] => text.trim().split(/\s+/).toSorted();

/** Of moby's InspectResponse, State, HostConfig, Config, NetworkSettings and EndpointSettings (those without omitempty). */
const inspectFields = {
  top: fields(`Id Created Path Args State Image ResolvConfPath HostnamePath HostsPath LogPath Name RestartCount Driver
    Platform MountLabel ProcessLabel AppArmorProfile ExecIDs HostConfig GraphDriver Mounts Config NetworkSettings`),
  state: fields("Status Running Paused Restarting OOMKilled Dead Pid ExitCode Error StartedAt FinishedAt"),
  hostConfig: fields(`CpuShares Memory NanoCpus CgroupParent BlkioWeight BlkioWeightDevice BlkioDeviceReadBps
    BlkioDeviceWriteBps BlkioDeviceReadIOps BlkioDeviceWriteIOps CpuPeriod CpuQuota CpuRealtimePeriod CpuRealtimeRuntime
    CpusetCpus CpusetMems Devices DeviceCgroupRules DeviceRequests MemoryReservation MemorySwap MemorySwappiness
    OomKillDisable PidsLimit Ulimits CpuCount CpuPercent IOMaximumIOps IOMaximumBandwidth Binds ContainerIDFile LogConfig
    NetworkMode PortBindings RestartPolicy AutoRemove VolumeDriver VolumesFrom ConsoleSize CapAdd CapDrop CgroupnsMode
    Dns DnsOptions DnsSearch ExtraHosts GroupAdd IpcMode Cgroup Links OomScoreAdj PidMode Privileged PublishAllPorts
    ReadonlyRootfs SecurityOpt UTSMode UsernsMode ShmSize Runtime Isolation MaskedPaths ReadonlyPaths`),
  config: fields(`Hostname Domainname User AttachStdin AttachStdout AttachStderr Tty OpenStdin StdinOnce Env Cmd Image
    Volumes WorkingDir Entrypoint OnBuild Labels`),
  network: fields(`Bridge SandboxID SandboxKey Ports HairpinMode LinkLocalIPv6Address LinkLocalIPv6PrefixLen
    SecondaryIPAddresses SecondaryIPv6Addresses EndpointID Gateway GlobalIPv6Address GlobalIPv6PrefixLen IPAddress
    IPPrefixLen IPv6Gateway MacAddress Networks`),
  endpoint: fields(`IPAMConfig Links Aliases MacAddress DriverOpts GwPriority NetworkID EndpointID Gateway IPAddress
    IPPrefixLen IPv6Gateway GlobalIPv6Address GlobalIPv6PrefixLen DNSNames`),
};

test("inspect names every field of the API", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"], { name: "shown", HostConfig: { Binds: ["named:/n", "/etc:/e:ro"] } });
  const shown = await engine.wire.json<ContainerInspect>("GET", `/containers/shown/json?size=1`);
  const { SizeRw, SizeRootFs, ...rest } = shown;
  expect(SizeRw).toBeNumber();
  expect(SizeRootFs).toBeGreaterThan(SizeRw ?? 0);
  expect(Object.keys(rest).toSorted()).toEqual(inspectFields.top);
  expect(Object.keys(rest.State).toSorted()).toEqual(inspectFields.state);
  expect(Object.keys(rest.HostConfig).toSorted()).toEqual(inspectFields.hostConfig);
  expect(Object.keys(rest.Config).toSorted()).toEqual(inspectFields.config);
  expect(Object.keys(rest.NetworkSettings).toSorted()).toEqual(inspectFields.network);
  expect(Object.keys(rest.NetworkSettings.Networks)).toEqual(["bridge"]);
  expect(Object.keys(rest.NetworkSettings.Networks["bridge"] ?? {}).toSorted()).toEqual(inspectFields.endpoint);
  expect(Object.keys(rest.GraphDriver.Data ?? {}).toSorted()).toEqual(fields("ID LowerDir MergedDir UpperDir WorkDir"));
  expect(rest).toMatchObject({
    Id: box.id,
    Name: "/shown",
    Path: "sleep",
    Args: ["600"],
    Driver: "overlay2",
    Platform: "linux",
    HostConfig: { Runtime: "crun", RestartPolicy: { Name: "no", MaximumRetryCount: 0 }, IpcMode: "private" },
  });
  expect(rest.Mounts).toEqual([
    { Type: "bind", Source: "/etc", Destination: "/e", Mode: "ro", RW: false, Propagation: "rprivate" },
    {
      Type: "volume",
      Name: "named",
      Source: `${engine.dataRoot}/volumes/named/_data`,
      Destination: "/n",
      Driver: "local",
      Mode: "z",
      RW: true,
      Propagation: "",
    },
  ]);
});

test("inspect gives HostConfig and Config in Docker's order", async () => {
  await using engine = await startEngine();
  const box = await engine.create(["true"], {
    StopSignal: "INT",
    MacAddress: "02:00:00:00:00:01",
    ExposedPorts: { "80/tcp": {} },
    HostConfig: { Memory: 64 << 20, Annotations: { a: "b" }, Runtime: "crun", Init: false },
  });
  const { HostConfig, Config } = await box.inspect();
  const listed = (text: string): string[] => text.trim().split(/\s+/);
  expect(Object.keys(HostConfig)).toEqual(
    listed(`Binds ContainerIDFile LogConfig NetworkMode PortBindings RestartPolicy AutoRemove VolumeDriver VolumesFrom
      ConsoleSize Annotations CapAdd CapDrop CgroupnsMode Dns DnsOptions DnsSearch ExtraHosts GroupAdd IpcMode Cgroup
      Links OomScoreAdj PidMode Privileged PublishAllPorts ReadonlyRootfs SecurityOpt UTSMode UsernsMode ShmSize Runtime
      Isolation CpuShares Memory NanoCpus CgroupParent BlkioWeight BlkioWeightDevice BlkioDeviceReadBps
      BlkioDeviceWriteBps BlkioDeviceReadIOps BlkioDeviceWriteIOps CpuPeriod CpuQuota CpuRealtimePeriod
      CpuRealtimeRuntime CpusetCpus CpusetMems Devices DeviceCgroupRules DeviceRequests MemoryReservation MemorySwap
      MemorySwappiness OomKillDisable PidsLimit Ulimits CpuCount CpuPercent IOMaximumIOps IOMaximumBandwidth
      MaskedPaths ReadonlyPaths Init`),
  );
  expect(Object.keys(Config)).toEqual(
    listed(`Hostname Domainname User AttachStdin AttachStdout AttachStderr ExposedPorts Tty OpenStdin StdinOnce Env Cmd
      Image Volumes WorkingDir Entrypoint MacAddress OnBuild Labels StopSignal`),
  );
});

test("a host name that the kernel would not take is refused at create", async () => {
  await using engine = await startEngine();
  const long = "h".repeat(65);
  for (const [key, what] of [
    ["Hostname", "hostname"],
    ["Domainname", "domainname"],
  ] as const) {
    await expect(engine.create(["true"], { [key]: long })).rejects.toMatchObject({
      status: 400,
      message: `invalid ${what}: ${long} is longer than 64 bytes`,
    });
  }
  const box = await engine.run(["hostname"], { Hostname: "h".repeat(64) });
  await box.wait();
  expect((await box.logs()).stdout).toBe(`${"h".repeat(64)}\n`);
});

async function list(engine: Engine, filters: Record<string, string[]>, query = "all=1"): Promise<string[]> {
  const found = await engine.wire.json<ContainerSummary[]>(
    "GET",
    `/containers/json?${query}&filters=${encodeURIComponent(JSON.stringify(filters))}`,
  );
  return found.map(({ Names }) => (Names[0] ?? "").slice(1));
}

test("the list is newest first and knows every filter", async () => {
  await using engine = await startEngine();
  const tcp = {
    ExposedPorts: { "80/tcp": {} },
    HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "" }] } },
  };
  await engine.run(["sleep", "600"], { name: "one", Labels: { colour: "red", size: "big" }, ...tcp });
  const two = await engine.run(["sh", "-c", "exit 3"], {
    name: "two",
    Labels: { colour: "red" },
    HostConfig: { Binds: ["vol:/data"] },
  });
  await two.wait();
  const three = await engine.create(["true"], { name: "three", HostConfig: { NetworkMode: "none" } });
  const ports = (await engine.wire.json<ContainerSummary[]>("GET", "/containers/json"))[0]?.Ports;
  const published = String(ports?.[0]?.PublicPort);
  expect(ports).toEqual([{ IP: "127.0.0.1", PrivatePort: 80, PublicPort: Number(published), Type: "tcp" }]);

  expect(await list(engine, {})).toEqual(["three", "two", "one"]);
  expect(await list(engine, {}, "")).toEqual(["one"]);
  expect(await list(engine, {}, "limit=2")).toEqual(["three", "two"]);
  const cases: [Record<string, string[]>, string[]][] = [
    [{ ancestor: [testImage] }, ["three", "two", "one"]],
    [{ ancestor: ["other"] }, []],
    [{ before: ["two"] }, ["one"]],
    [{ since: ["two"] }, ["three"]],
    [{ exited: ["3"] }, ["two"]],
    // One that never ran has no exit code.
    [{ exited: ["0"] }, []],
    [{ status: ["created", "exited"] }, ["three", "two"]],
    [{ label: ["colour=red"] }, ["two", "one"]],
    [{ label: ["colour=red", "size"] }, ["one"]],
    [{ name: ["^t"] }, ["three", "two"]],
    [{ id: [three.id.slice(0, 10)] }, ["three"]],
    [{ volume: ["vol"] }, ["two"]],
    [{ volume: ["/data"] }, ["two"]],
    [{ network: ["none"] }, ["three"]],
    [{ network: ["bridge"] }, ["two", "one"]],
    [{ publish: [published] }, ["one"]],
    [{ publish: ["80"] }, []],
    [{ expose: ["79-81/tcp"] }, ["one"]],
    [{ expose: ["80/udp"] }, []],
    [{ health: ["none"] }, ["three", "two", "one"]],
    [{ health: ["healthy"] }, []],
    [{ "is-task": ["false"] }, ["three", "two", "one"]],
    [{ "is-task": ["true"] }, []],
  ];
  for (const [filters, names] of cases) {
    expect({ filters, names: await list(engine, filters) }).toEqual({ filters, names });
  }
  // Only a wanted state brings stopped ones into a list of running ones.
  expect(await list(engine, { status: ["exited"] }, "")).toEqual(["two"]);
  expect(await list(engine, { exited: ["3"] }, "")).toEqual([]);
  const refusals: [Record<string, string[]>, string][] = [
    [{ colour: ["red"] }, "invalid filter 'colour'"],
    [
      { status: ["x"] },
      "invalid filter 'status=x': invalid value for state (x): must be one of created, running, paused, restarting, removing, exited, dead",
    ],
    [
      { health: ["x"] },
      "invalid filter 'health=x': invalid value for health (x): must be one of none, starting, healthy, unhealthy",
    ],
    [{ exited: ["x"] }, `invalid filter 'exited=x': strconv.Atoi: parsing "x": invalid syntax`],
    [{ publish: ["1:2"] }, "filter for 'publish' should not contain ':': 1:2"],
  ];
  for (const [filters, message] of refusals) {
    await expect(list(engine, filters)).rejects.toMatchObject({ status: 400, message });
  }
  await expect(list(engine, { before: ["nobody"] })).rejects.toMatchObject({ status: 404 });
});

test("the summary shows the image that was meant, or its id once the name means another", async () => {
  await using engine = await startEngine();
  await engine.create(["sh", "-c", "echo a b"], { name: "kept", HostConfig: { Annotations: { note: "x" } } });
  const summary = async (version = "1.50") =>
    (await new Wire(engine.socket, version).json<ContainerSummary[]>("GET", "/containers/json?all=1"))[0];
  const before = await summary();
  expect(before).toMatchObject({
    Image: testImage,
    Command: "sh -c 'echo a b'",
    State: "created",
    Status: "Created",
    HostConfig: { NetworkMode: "bridge", Annotations: { note: "x" } },
  });
  expect((await summary("1.45"))?.HostConfig).toEqual({ NetworkMode: "bridge" });
  await engine.wire.bytes("DELETE", `/images/${testImage}?force=1&noprune=1`);
  expect((await summary())?.Image).toBe(before?.ImageID ?? "");
});

test("events are filtered and bounded by time", async () => {
  await using engine = await startEngine();
  const since = Date.now() / 1000;
  const box = await engine.run(["true"], { name: "seen", Labels: { colour: "red" } });
  await box.wait();
  await engine.create(["true"], { name: "unseen" });
  const events = async (filters: Record<string, string[]>, until = Math.ceil(Date.now() / 1000)): Promise<string[]> => {
    const query = `since=${since}&until=${until}&filters=${encodeURIComponent(JSON.stringify(filters))}`;
    const text = new TextDecoder().decode(await engine.wire.bytes("GET", `/events?${query}`));
    const messages = text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as EventMessage);
    return messages.map(({ Type, Action }) => `${Type} ${Action}`);
  };
  const run = ["container create", "container start", "container die"];
  expect(await events({ type: ["container"], container: ["seen"] })).toEqual(run);
  expect(await events({ type: ["container"], label: ["colour=red"] })).toEqual(run);
  expect(await events({ event: ["create"], type: ["container"] })).toEqual(["container create", "container create"]);
  expect(await events({ type: ["network"] })).toEqual(["network connect", "network disconnect"]);
  await expect(events({}, Math.floor(since) - 10)).rejects.toMatchObject({
    status: 400,
    message: `\`since\` time (${since}) cannot be after \`until\` time (${Math.floor(since) - 10})`,
  });
  await expect(events({ colour: ["x"] })).rejects.toMatchObject({ status: 400 });
});

test("an exec tells all about itself", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  const id = await box.prepareExec(["sh", "-c", "exit 4"], { User: "app", Privileged: true });
  const inspect = () => engine.wire.json<object>("GET", `/exec/${id}/json`);
  const before = await inspect();
  expect(before).toEqual({
    ID: id,
    Running: false,
    ExitCode: null,
    ProcessConfig: { tty: false, entrypoint: "sh", arguments: ["-c", "exit 4"], privileged: true, user: "app" },
    OpenStdin: false,
    OpenStderr: true,
    OpenStdout: true,
    CanRemove: false,
    ContainerID: box.id,
    DetachKeys: "",
    Pid: 0,
  });
  expect((await box.inspect()).ExecIDs).toEqual([id]);
  using stream = await engine.wire.hijack(`/exec/${id}/start`, { Detach: false });
  await stream.all();
  expect(await inspect()).toMatchObject({ Running: false, ExitCode: 4, CanRemove: true });
  expect((await box.inspect()).ExecIDs).toBeNull();
  await expect(engine.wire.json("GET", "/exec/none/json")).rejects.toMatchObject({
    status: 404,
    message: "No such exec instance: none",
  });
  await expect(box.prepareExec([])).rejects.toMatchObject({ status: 400, message: "No exec command specified" });
});
