/** How clients of any version are met: negotiation, what old requests meant, words of refusals. */
import { expect, test } from "bun:test";
import type { ContainerInspect } from "#api/types/container.ts";
import type { SystemInfo, SystemVersion } from "#api/types/system.ts";
import { startEngine } from "./harness/engine.ts";
import { testImage } from "./harness/image.ts";
import { Wire } from "./harness/wire.ts";

const fields = (text: string): string[] => text.trim().split(/\s+/).toSorted();

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
    ["PUT", "/volumes/x", 503, "volume update only valid for cluster volumes, but swarm is unavailable"],
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
  expect(await post("{")).toBe("400 invalid JSON: unexpected EOF");
  expect(await post("{} {}")).toBe("400 unexpected content after JSON");
  expect(await post("{}", "")).toBe("400 malformed Content-Type header (): mime: no media type");
  expect(await post("null")).toBe("400 config cannot be empty in order to create a container");
  expect(await post('{"Image":"x","Cmd":[3]}')).toBe(
    "400 invalid JSON: json: cannot unmarshal number into Go struct field Cmd of type string",
  );
  expect(await post('{"Image":"x","HostConfig":{"RestartPolicy":{"Name":3}}}')).toBe(
    "400 invalid JSON: json: cannot unmarshal number into Go struct field HostConfig.RestartPolicy.Name of type string",
  );
  expect(await post("{}", "text/plain")).toBe(
    "400 unsupported Content-Type header (text/plain): must be 'application/json'",
  );
  expect(await post('{"Image":3}')).toBe(
    "400 invalid JSON: json: cannot unmarshal number into Go struct field Image of type string",
  );
  expect(await post("{}")).toBe("400 config cannot be empty in order to create a container");
  expect(await post('{"Image":"none-such"}')).toBe("404 No such image: none-such:latest");
});

test("parameters are read as Docker reads them", async () => {
  await using engine = await startEngine();
  const box = await engine.create(["sleep", "600"], { name: "asked", Labels: { a: "b" } });
  const listed = async (filters: string) =>
    (await engine.wire.json<object[]>("GET", `/containers/json?all=1&filters=${encodeURIComponent(filters)}`)).length;
  expect(await listed("null")).toBe(1);
  expect(await listed('{"label":["a=b"]}')).toBe(1);
  // What a set says of its member makes no difference.
  expect(await listed('{"label":{"a=b":false}}')).toBe(1);
  const cases: [string, string, number, string][] = [
    ["GET", "/containers/json?filters=%7B", 400, "invalid filter"],
    ["GET", '/containers/json?filters={"label":"x"}', 400, "invalid filter"],
    ["GET", "/containers/json?limit=x", 400, 'strconv.Atoi: parsing "x": invalid syntax'],
    ["POST", "/containers/asked/resize?h=1", 400, 'invalid resize width "": invalid syntax'],
    ["POST", "/containers/asked/resize?h=-1&w=1", 400, 'invalid resize height "-1": value out of range'],
    ["POST", "/containers/none/kill", 404, "cannot kill container: none: No such container: none"],
    ["POST", "/containers/asked/kill", 409, `cannot kill container: asked: container ${box.id} is not running`],
    [
      "POST",
      "/containers/asked/rename?name=-x",
      400,
      "Error when allocating new name: Invalid container name (/-x), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
    ],
    ["POST", "/commit", 400, 'invalid name or ID supplied: ""'],
    [
      "GET",
      "/networks/bridge?verbose=maybe",
      400,
      'invalid value for verbose: maybe: strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
    ["GET", "/networks/bridge?scope=swarm", 404, "network bridge not found"],
    [
      "POST",
      "/build/prune?keep-storage=x",
      400,
      'keep-storage is in bytes and expects an integer, got x: strconv.Atoi: parsing "x": invalid syntax',
    ],
    ["GET", "/images/get?names=", 400, "invalid reference format"],
    ["POST", "/images/berth-test/tag?repo=x&tag=a/b", 400, "invalid tag format"],
    ["GET", "/containers/asked/top?ps_args=%00", 409, `container ${box.id} is not running`],
  ];
  for (const [method, path, status, message] of cases) {
    const answer = await engine.wire.send(method, path);
    expect([path, answer.status, ((await answer.json()) as { message: string }).message]).toEqual([
      path,
      status,
      message,
    ]);
  }
  expect((await engine.wire.send("OPTIONS", "/containers/json")).status).toBe(200);
});

test("ports and hosts that cannot be are refused at create", async () => {
  await using engine = await startEngine();
  const refused = (HostConfig: object, message: string) =>
    expect(engine.create(["true"], { HostConfig })).rejects.toMatchObject({ status: 400, message });
  await refused({ ExtraHosts: ["walk"] }, 'bad format for add-host: "walk"');
  await refused({ PortBindings: { "80/tcp": [{ HostIp: "", HostPort: "x" }] } }, 'invalid port specification: "x"');
});

test("old versions ignore parameters that they did not have", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"], { StopSignal: "KILL" });
  await new Wire(engine.socket, "1.41").bytes("POST", `/containers/${box.id}/stop?signal=nonsense`);
  const old = new Wire(engine.socket, "1.40");
  const [image] = await old.json<{ VirtualSize: number; Size: number }[]>("GET", "/images/json?manifests=1");
  expect(image).toMatchObject({ VirtualSize: image?.Size });
  expect(image).not.toContainKey("Manifests");
  const inspected = await old.json<{ Config: object }>("GET", "/images/berth-test/json?platform=nonsense");
  expect(inspected.Config).toMatchObject({ Hostname: "", Tty: false, Volumes: null });
  const now = await engine.wire.json<{ Config: object }>("GET", "/images/berth-test/json");
  expect(Object.keys(now.Config)).toEqual(fields("Cmd Entrypoint Env Labels OnBuild User Volumes WorkingDir"));
  expect(now).not.toContainKey("VirtualSize");
});
