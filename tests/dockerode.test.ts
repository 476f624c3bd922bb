/** dockerode, as programs that use it do: nothing in it knows Berth. */
import { expect, test } from "bun:test";
import { Writable } from "node:stream";
import Docker from "dockerode";
import { type Engine, startEngine } from "./harness/engine.ts";
import { busyboxArchive, testImage } from "./harness/image.ts";
import { until } from "./harness/process.ts";

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
  const { Readable } = await import("node:stream");
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
