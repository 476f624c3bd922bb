/** The Engine API as clients of any version see it: fields, versions, filters, words of refusals. */
import { expect, test } from "bun:test";
import type { ContainerInspect, ContainerSummary } from "#api/types/container.ts";
import type { EventMessage } from "#api/types/event.ts";
import type { SystemInfo, SystemVersion } from "#api/types/system.ts";
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

test("versions from 1.22 on are spoken, others refused in Docker's words", async () => {
  await using engine = await startEngine({ image: false });
  for (const version of ["1.22", "1.24", "1.30", "1.41", "1.50"]) {
    expect((await new Wire(engine.socket, version).send("GET", "/info")).status).toBe(200);
  }
  await expect(new Wire(engine.socket, "1.21").json("GET", "/info")).rejects.toMatchObject({
    status: 400,
    message:
      "client version 1.21 is too old. Minimum supported API version is 1.22, please upgrade your client to a newer version",
  });
  await expect(new Wire(engine.socket, "1.51").json("GET", "/info")).rejects.toMatchObject({
    status: 400,
    message: "client version 1.51 is too new. Maximum supported API version is 1.50",
  });
  for (const [method, path] of [
    ["GET", "/nonsense"],
    ["DELETE", "/info"],
    ["PATCH", "/containers/json"],
  ] as const) {
    const answer = await engine.wire.send(method, path);
    expect(answer.status).toBe(404);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(await answer.json()).toEqual({ message: "page not found" });
  }
});

test("a ping tells what clients negotiate by", async () => {
  await using engine = await startEngine({ image: false });
  for (const method of ["GET", "HEAD"]) {
    const answer = await fetch("http://localhost/_ping", { unix: engine.socket, method });
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe(method === "GET" ? "OK" : "");
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "api-version": "1.50",
      "docker-experimental": "false",
      ostype: "linux",
      "builder-version": "1",
      swarm: "inactive",
      "cache-control": "no-cache, no-store, must-revalidate",
      pragma: "no-cache",
      "content-type": "text/plain; charset=utf-8",
      "content-length": "2",
    });
  }
});

test("info and version are complete, and old clients get the fields that they know", async () => {
  await using engine = await startEngine({ image: false });
  const info = await engine.wire.json<SystemInfo>("GET", "/info");
  const expected = fields(`ID Containers ContainersRunning ContainersPaused ContainersStopped Images Driver DriverStatus
    Plugins MemoryLimit SwapLimit CpuCfsPeriod CpuCfsQuota CPUShares CPUSet PidsLimit IPv4Forwarding Debug NFd
    OomKillDisable NGoroutines SystemTime LoggingDriver CgroupDriver CgroupVersion NEventsListener KernelVersion
    OperatingSystem OSVersion OSType Architecture IndexServerAddress RegistryConfig NCPU MemTotal GenericResources
    DockerRootDir HttpProxy HttpsProxy NoProxy Name Labels ExperimentalBuild ServerVersion Runtimes DefaultRuntime Swarm
    LiveRestoreEnabled Isolation InitBinary ContainerdCommit RuncCommit InitCommit SecurityOptions FirewallBackend
    DiscoveredDevices CDISpecDirs Warnings`);
  expect(Object.keys(info).toSorted()).toEqual(expected);
  expect(info.ID).toMatch(/^[0-9a-f-]{36}$/);
  expect((await engine.wire.json<SystemInfo>("GET", "/info")).ID).toBe(info.ID);
  expect(info.RegistryConfig.IndexConfigs["docker.io"]).toEqual({
    Name: "docker.io",
    Mirrors: [],
    Secure: true,
    Official: true,
  });
  expect(info.DriverStatus.map(([name]) => name)).toContain("Backing Filesystem");
  const old = await new Wire(engine.socket, "1.24").json<SystemInfo>("GET", "/info");
  expect(old).toMatchObject({ BridgeNfIptables: false, RuncCommit: { ID: "N/A", Expected: "N/A" } });
  expect(old).not.toContainKeys(["FirewallBackend", "DiscoveredDevices"]);
  expect(old.SecurityOptions).toContain("seccomp");

  const version = await engine.wire.json<SystemVersion>("GET", "/version");
  expect(version).toMatchObject({ ApiVersion: "1.50", MinAPIVersion: "1.22", Os: "linux" });
  const [first, ...others] = version.Components;
  expect(first).toMatchObject({
    Name: "Engine",
    Version: version.Version,
    Details: { ApiVersion: "1.50", Os: "linux" },
  });
  expect(others.map(({ Name }) => Name)).toEqual(["conmon", "crun"]);
  for (const { Version } of others) expect(Version).toMatch(/^\d+\.\d+/);
});

test("create requests of old versions mean what they meant", async () => {
  await using engine = await startEngine();
  const create = async (version: string, body: object): Promise<ContainerInspect> => {
    const wire = new Wire(engine.socket, version);
    const { Id } = await wire.json<{ Id: string }>("POST", "/containers/create", {
      Image: testImage,
      Cmd: ["true"],
      ...body,
    });
    return await engine.wire.json("GET", `/containers/${Id}/json`);
  };
  expect((await create("1.39", {})).HostConfig.IpcMode).toBe("shareable");
  expect((await create("1.24", { HostConfig: { AutoRemove: true } })).HostConfig.AutoRemove).toBe(false);
  expect((await create("1.41", { HostConfig: { ConsoleSize: [10, 20] } })).HostConfig.ConsoleSize).toEqual([0, 0]);
  expect((await create("1.42", { HostConfig: { Annotations: { a: "b" } } })).HostConfig).not.toContainKey(
    "Annotations",
  );
  const address = "02:42:ac:11:00:42";
  expect((await create("1.43", { MacAddress: address })).NetworkSettings.Networks["bridge"]?.MacAddress).toBe(address);
  const endpoints = { EndpointsConfig: { bridge: {}, other: {} } };
  await expect(create("1.43", { NetworkingConfig: endpoints })).rejects.toMatchObject({
    status: 400,
    message: "Container cannot be created with multiple network endpoints: bridge, other",
  });
  const part = { Type: "volume", Source: "some", Target: "/v", VolumeOptions: { Subpath: "x" } };
  await expect(create("1.44", { HostConfig: { Mounts: [part] } })).rejects.toMatchObject({
    message: "VolumeOptions.Subpath needs API v1.45 or newer",
  });
  await expect(create("1.50", { HostConfig: { Mounts: [{ ...part, Type: "bind" }] } })).rejects.toMatchObject({
    message: 'VolumeOptions must not be specified on mount type "bind"',
  });
  // What the docker CLI sends where no network was named.
  const { HostConfig, NetworkSettings } = await create("1.50", {
    HostConfig: { NetworkMode: "default", PidsLimit: 0 },
    NetworkingConfig: { EndpointsConfig: { default: {} } },
  });
  expect(HostConfig).toMatchObject({ NetworkMode: "bridge", PidsLimit: null });
  expect(Object.keys(NetworkSettings.Networks)).toEqual(["bridge"]);
});

test("what is not there says so", async () => {
  await using engine = await startEngine({ image: false });
  const noSwarm = "This node is not a swarm manager. Swarm mode is not supported.";
  const cases: [string, string, number, string][] = [
    ["GET", "/swarm", 503, noSwarm],
    ["POST", "/swarm/init", 501, "swarm mode is not supported"],
    ["GET", "/services", 503, noSwarm],
    ["GET", "/nodes/self", 503, noSwarm],
    ["POST", "/secrets/create", 503, noSwarm],
    ["POST", "/plugins/pull", 501, "plugins are not supported"],
    ["GET", "/plugins/x/json", 404, 'plugin "x" not found'],
    ["POST", "/build", 501, "building images is not supported yet"],
    ["POST", "/session", 501, "building images is not supported yet"],
    ["GET", "/containers/x/checkpoints", 501, "checkpoints are not supported"],
  ];
  for (const [method, path, status, message] of cases) {
    const answer = await engine.wire.send(method, path);
    expect([method, path, answer.status, ((await answer.json()) as { message: string }).message]).toEqual([
      method,
      path,
      status,
      message,
    ]);
  }
  expect(await engine.wire.json<object>("GET", "/plugins")).toEqual([]);
});

test("bodies that are no JSON of the right shape are refused as Go's decoder does", async () => {
  await using engine = await startEngine();
  const post = async (body: string, type = "application/json") => {
    const answer = await fetch("http://localhost/v1.50/containers/create", {
      unix: engine.socket,
      method: "POST",
      headers: { "Content-Type": type },
      body,
    });
    return `${answer.status} ${((await answer.json()) as { message: string }).message}`;
  };
  expect(await post("")).toBe("400 invalid JSON: got EOF while reading request body");
  expect(await post("{")).toStartWith("400 invalid JSON: ");
  expect(await post("{}", "text/plain")).toBe(
    "400 unsupported Content-Type header (text/plain): must be 'application/json'",
  );
  expect(await post('{"Image":3}')).toBe(
    "400 invalid JSON: json: cannot unmarshal number into Go struct field Image of type string",
  );
  expect(await post("{}")).toBe("400 config cannot be empty in order to create a container");
  expect(await post('{"Image":"none-such"}')).toBe("404 No such image: none-such:latest");
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
  expect(await events({}, Math.floor(since) - 10)).toEqual([]);
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
