/** dockerode, as programs that use it do: nothing in it knows Berth. */
import { expect, test } from "bun:test";
import { Readable, Writable } from "node:stream";
import { buffer } from "node:stream/consumers";
import Docker from "dockerode";
import { type Engine, startEngine } from "./harness/engine.ts";
import { busyboxArchive, busyboxLayer, testImage } from "./harness/image.ts";
import { until } from "./harness/process.ts";
import { LocalRegistry } from "./harness/registry.ts";
import { tar } from "./harness/tar.ts";

function connect(engine: Engine): Docker {
  return new Docker({ socketPath: engine.socket });
}

function collector(): Writable & { text: () => string } {
  const chunks: Buffer[] = [];
  const writable = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  return Object.assign(writable, { text: () => Buffer.concat(chunks).toString() });
}

test("docker.run gives the output and the exit code", async () => {
  await using engine = await startEngine();
  const out = collector();
  const [result] = (await connect(engine).run(testImage, ["sh", "-c", "echo hi; exit 3"], out)) as [
    { StatusCode: number },
  ];
  expect(result.StatusCode).toBe(3);
  expect(out.text()).toContain("hi");
});

test("create, attach with stdin, start, wait, inspect and remove", async () => {
  await using engine = await startEngine();
  const docker = connect(engine);
  const container = await docker.createContainer({
    Image: testImage,
    Cmd: ["cat"],
    name: "ode",
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
  const [out, err] = [collector(), collector()];
  docker.modem.demuxStream(stream, out, err);
  await container.start();
  stream.write("through dockerode\n");
  stream.end();
  expect(await container.wait()).toEqual({ StatusCode: 0 });
  await until("the output came", () => out.text() === "through dockerode\n");
  expect((await container.inspect()).Name).toBe("/ode");
  await container.remove();
  await expect(container.inspect()).rejects.toMatchObject({ statusCode: 404 });
});

test("exec, logs, stop, listing with filters", async () => {
  await using engine = await startEngine();
  const docker = connect(engine);
  const container = await docker.createContainer({
    Image: testImage,
    Cmd: ["sh", "-c", "echo started; sleep 600"],
    Labels: { part: "a" },
  });
  await container.start();
  const exec = await container.exec({
    Cmd: ["sh", "-c", "cat; exit 2"],
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await exec.start({ hijack: true, stdin: true });
  const out = collector();
  docker.modem.demuxStream(stream, out, out);
  stream.end("exec input\n");
  await until("it ended", async () => !(await exec.inspect()).Running);
  await until("its output came", () => out.text() === "exec input\n");
  expect((await exec.inspect()).ExitCode).toBe(2);
  await until("it logged", async () => (await container.logs({ stdout: true })).includes("started"));
  expect(await docker.listContainers({ filters: { label: ["part=a"] } })).toHaveLength(1);
  await container.stop({ t: 0 });
  expect(await docker.listContainers()).toHaveLength(0);
});

test("events arrive while things happen; images load, tag and go", async () => {
  await using engine = await startEngine({ image: false });
  const docker = connect(engine);
  const events = await docker.getEvents({ filters: { type: ["image"] } });
  const actions: string[] = [];
  let rest = "";
  events.on("data", (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") actions.push((JSON.parse(line) as { Action: string }).Action);
  });
  const progress = await docker.loadImage(Readable.from([await busyboxArchive()]));
  await new Promise<void>((resolve, reject) =>
    docker.modem.followProgress(progress, (error) => (error ? reject(error) : resolve())),
  );
  await docker.getImage(testImage).tag({ repo: "again", tag: "2" });
  expect((await docker.listImages()).map(({ RepoTags }) => RepoTags?.toSorted())).toEqual([["again:2", testImage]]);
  await docker.getImage("again:2").remove();
  await docker.getImage(testImage).remove();
  await until("all events came", () => actions.includes("delete"));
  expect(actions).toContain("tag");
  expect(actions).toContain("untag");
  (events as unknown as { destroy: () => void }).destroy();
});

test("info, version and ping", async () => {
  await using engine = await startEngine({ image: false });
  const docker = connect(engine);
  expect(String(await docker.ping())).toBe("OK");
  expect(await docker.version()).toMatchObject({ Os: "linux", MinAPIVersion: "1.22" });
  expect(await docker.info()).toMatchObject({ Containers: 0, OSType: "linux", DockerRootDir: engine.dataRoot });
});

async function sleeper(
  docker: Docker,
  name: string,
  more: Docker.ContainerCreateOptions = {},
): Promise<Docker.Container> {
  const container = await docker.createContainer({ Image: testImage, Cmd: ["sleep", "600"], name, ...more });
  await container.start();
  return container;
}

test("logs are followed to the end, with times, from a moment and from the tail", async () => {
  await using engine = await startEngine();
  const docker = connect(engine);
  const container = await docker.createContainer({
    Image: testImage,
    Cmd: ["sh", "-c", "echo one; echo two >&2; read line; echo $line"],
    OpenStdin: true,
  });
  await container.start();
  const [out, err] = [collector(), collector()];
  const stream = await container.logs({ follow: true, stdout: true, stderr: true });
  const ended = new Promise((resolve) => stream.on("end", resolve));
  container.modem.demuxStream(stream, out, err);
  await until("both lines", () => out.text() === "one\n" && err.text() === "two\n");
  const input = await container.attach({ stream: true, stdin: true, hijack: true });
  input.write("three\n");
  await ended;
  expect(out.text()).toBe("one\nthree\n");
  const tail = await container.logs({ stdout: true, tail: 1, timestamps: true });
  expect(tail.subarray(8).toString()).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z three\n$/);
  expect((await container.logs({ stdout: true, since: Date.now() / 1000 + 60 })).length).toBe(0);
  input.end();
});

test("an exec in a terminal is resized", async () => {
  await using engine = await startEngine();
  const docker = connect(engine);
  const container = await sleeper(docker, "terminal");
  const exec = await container.exec({ Cmd: ["sh"], AttachStdin: true, AttachStdout: true, Tty: true });
  const stream = await exec.start({ hijack: true, stdin: true, Tty: true });
  let shown = "";
  stream.on("data", (chunk: Buffer) => (shown += chunk.toString()));
  await exec.resize({ h: 33, w: 99 });
  await until("the new size", () => {
    stream.write("stty size\n");
    return shown.includes("33 99");
  });
  stream.write("exit 5\n");
  await until("it ended", async () => (await exec.inspect()).ExitCode === 5);
});

test("statistics come once and as a stream", async () => {
  await using engine = await startEngine();
  const docker = connect(engine);
  const container = await sleeper(docker, "measured");
  const once = await container.stats({ stream: false });
  expect(once).toMatchObject({ name: "/measured", id: container.id, pids_stats: { current: 1 } });
  expect(once.memory_stats.usage).toBeGreaterThan(0);
  expect(Object.keys(once.networks)).toEqual(["eth0"]);
  const stream = await container.stats({ stream: true });
  let samples = 0;
  stream.on("data", (chunk: Buffer) => (samples += chunk.toString().split("\n").length - 1));
  await until("two samples", () => samples >= 2);
  (stream as unknown as { destroy: () => void }).destroy();
});

test("archives go in and out, changes are listed, the files exported and committed", async () => {
  await using engine = await startEngine();
  const docker = connect(engine);
  const container = await sleeper(docker, "filled");
  await container.putArchive(tar([{ name: "put", content: "content\n", uid: 1000, gid: 1000 }]), { path: "/tmp" });
  const archive = await buffer(await container.getArchive({ path: "/tmp/put" }));
  expect(archive.toString()).toContain("content\n");
  const { headers } = (await container.infoArchive({ path: "/tmp/put" })) as unknown as {
    headers: Record<string, string>;
  };
  const stat = JSON.parse(Buffer.from(headers["x-docker-container-path-stat"] ?? "", "base64").toString()) as object;
  expect(stat).toMatchObject({ name: "put", size: 8, linkTarget: "" });
  expect(await container.changes()).toEqual([
    { Path: "/tmp", Kind: 0 },
    { Path: "/tmp/put", Kind: 1 },
  ]);
  const exported = await buffer(await container.export());
  expect(exported.toString("latin1")).toContain("tmp/put");
  const { Id } = (await container.commit({ repo: "made", tag: "1", comment: "by ode", changes: "ENV MADE=yes" })) as {
    Id: string;
  };
  expect(await docker.getImage("made:1").inspect()).toMatchObject({ Id, Comment: "by ode" });
  const out = collector();
  // It waits only after the start: one that removes itself could be gone by then.
  await docker.run("made:1", ["sh", "-c", "cat /tmp/put; echo $MADE"], out);
  // docker.run asks for a terminal.
  expect(out.text()).toBe("content\r\nyes\r\n");
});

test("pulls from a registry, and tells what it does", async () => {
  await using engine = await startEngine({ image: false });
  using registry = new LocalRegistry();
  registry.publish("team/tool", "1", [await busyboxLayer()]);
  const docker = connect(engine);
  const name = `${registry.host}/team/tool:1`;
  const progress = await docker.pull(name);
  const told = await new Promise<{ status?: string; id?: string }[]>((resolve, reject) =>
    docker.modem.followProgress(progress, (error, all) =>
      error ? reject(error) : resolve(all as { status?: string; id?: string }[]),
    ),
  );
  const statuses = told.map(({ status }) => status ?? "");
  expect(statuses).toContain("Pulling from team/tool");
  expect(statuses).toContain("Pull complete");
  expect(statuses.at(-1)).toBe(`Status: Downloaded newer image for ${name}`);
  const absent = docker.pull(`${registry.host}/team/nothing:1`);
  await expect(absent).rejects.toMatchObject({ statusCode: 404 });
});

test("networks and volumes are made, joined, listed, left and pruned", async () => {
  await using engine = await startEngine();
  const docker = connect(engine);
  const network = await docker.createNetwork({ Name: "lan", Labels: { part: "a" }, CheckDuplicate: true });
  await expect(docker.createNetwork({ Name: "lan" })).rejects.toMatchObject({ statusCode: 409 });
  await docker.createVolume({ Name: "data", Labels: { part: "a" } });
  const container = await sleeper(docker, "joined", {
    HostConfig: { Mounts: [{ Type: "volume", Source: "data", Target: "/data" }] },
  });
  await network.connect({ Container: container.id, EndpointConfig: { Aliases: ["known"] } });
  const { Containers } = (await network.inspect()) as { Containers: Record<string, { Name: string }> };
  expect(Containers[container.id]?.Name).toBe("joined");
  await expect(docker.getVolume("data").remove()).rejects.toMatchObject({ statusCode: 409 });
  await network.disconnect({ Container: container.id });
  const labelled = { filters: { label: ["part=a"] } };
  expect((await docker.listNetworks(labelled)).map(({ Name }) => Name)).toEqual(["lan"]);
  expect((await docker.listVolumes(labelled)).Volumes.map(({ Name }) => Name)).toEqual(["data"]);
  expect(await docker.pruneNetworks()).toMatchObject({ NetworksDeleted: ["lan"] });
  await container.remove({ force: true });
  expect(await docker.pruneVolumes({ filters: { all: ["true"] } })).toMatchObject({ VolumesDeleted: ["data"] });
});

test("pause, update, rename, top, wait for removal, prune, disk usage", async () => {
  await using engine = await startEngine();
  const docker = connect(engine);
  const container = await sleeper(docker, "handled");
  await container.pause();
  expect((await container.inspect()).State.Paused).toBe(true);
  await container.unpause();
  await container.update({
    Memory: 64 << 20,
    MemorySwap: 128 << 20,
    RestartPolicy: { Name: "on-failure", MaximumRetryCount: 2 },
  });
  expect((await container.inspect()).HostConfig).toMatchObject({
    Memory: 64 << 20,
    RestartPolicy: { Name: "on-failure", MaximumRetryCount: 2 },
  });
  await container.rename({ name: "renamed" });
  const { Titles, Processes } = (await container.top()) as { Titles: string[]; Processes: string[][] };
  expect(Processes.map((row) => row[Titles.indexOf("CMD")])).toEqual(["sleep 600"]);
  await container.kill({ signal: "SIGKILL" });
  expect(await docker.pruneContainers()).toMatchObject({ ContainersDeleted: [container.id] });
  const short = await docker.createContainer({ Image: testImage, Cmd: ["true"], HostConfig: { AutoRemove: true } });
  const removed = short.wait({ condition: "removed" }) as Promise<{ StatusCode: number }>;
  await short.start();
  expect((await removed).StatusCode).toBe(0);
  expect(await docker.df()).toMatchObject({ Containers: [], Images: [{ RepoTags: [testImage] }] });
});
