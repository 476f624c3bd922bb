/** What cannot be run: each with the code and the words that scripts know from Docker, and nothing left behind. */
import { expect, test } from "bun:test";
import { startEngine } from "./harness/engine.ts";

test("the CLI's exit codes: 125 for the daemon's refusal, 126 and 127 for the program's, else the container's", async () => {
  await using engine = await startEngine();
  const code = async (...words: string[]) => (await engine.berth(["run", "--rm", ...words])).code;
  expect(await code("berth-test", "sh", "-c", "exit 9")).toBe(9);
  expect(await code("--name", "not/valid", "berth-test", "true")).toBe(125);
  expect(await code("--no-such-flag", "berth-test", "true")).toBe(125);
  expect(await code("berth-test", "/bin/not-executable")).toBe(126);
  expect(await code("berth-test", "/etc")).toBe(126);
  expect(await code("berth-test", "no-such-program")).toBe(127);
  expect(await code("berth-test", "/no/such/program")).toBe(127);
  expect(await engine.list()).toEqual([]);
});

test("a missing program, one without the right to execute and an unknown user fail the start, with the reason", async () => {
  await using engine = await startEngine();
  const missing = await engine.create(["no-such-program"]);
  await expect(missing.start()).rejects.toMatchObject({
    status: 400,
    message: expect.stringContaining("executable file not found in $PATH"),
  });
  expect((await missing.inspect()).State).toMatchObject({ Status: "created", ExitCode: 127 });
  const forbidden = await engine.create(["/bin/not-executable"]);
  await expect(forbidden.start()).rejects.toMatchObject({
    status: 400,
    message: expect.stringContaining("permission denied"),
  });
  expect((await forbidden.inspect()).State).toMatchObject({ Status: "created", ExitCode: 126 });
  const nobody = await engine.create(["true"], { User: "stranger" });
  await expect(nobody.start()).rejects.toMatchObject({
    message: expect.stringContaining("unable to find user stranger"),
  });
  expect(await engine.leftovers()).toEqual([]);
});

test("an unknown image is named", async () => {
  await using engine = await startEngine({ image: false });
  await expect(engine.create(["true"], { Image: "no-such-image:7" })).rejects.toMatchObject({
    status: 404,
    message: "No such image: no-such-image:7",
  });
});

test("a memory limit below the minimum is refused", async () => {
  await using engine = await startEngine();
  await expect(engine.create(["true"], { HostConfig: { Memory: 1 << 20 } })).rejects.toMatchObject({
    status: 400,
    message: "Minimum memory limit allowed is 6MB",
  });
});

test("a bind source that is missing is made for -v and refused for --mount", async () => {
  await using engine = await startEngine();
  const source = `${engine.execRoot}/absent`;
  await expect(
    engine.create(["true"], { HostConfig: { Mounts: [{ Type: "bind", Source: source, Target: "/x" }] } }),
  ).rejects.toMatchObject({
    status: 400,
    message: expect.stringContaining(`bind source path does not exist: ${source}`),
  });
  const box = await engine.run(["test", "-d", "/x"], { HostConfig: { Binds: [`${source}:/x`] } });
  expect(await box.wait()).toBe(0);
});

test("options that are not supported are refused, not ignored", async () => {
  await using engine = await startEngine();
  await expect(
    engine.create(["true"], { HostConfig: { NetworkMode: "no-such-network" } }).then((box) => box.start()),
  ).rejects.toMatchObject({
    message: expect.stringContaining("no-such-network"),
  });
  await expect(engine.create(["true"], { HostConfig: { CapAdd: ["NO_SUCH_CAP"] } })).rejects.toMatchObject({
    status: 400,
  });
  await expect(
    engine.create(["true"], {
      HostConfig: { RestartPolicy: { Name: "always", MaximumRetryCount: 0 }, AutoRemove: true },
    }),
  ).rejects.toMatchObject({
    status: 400,
    message: "can't create 'AutoRemove' container with restart policy",
  });
});

test("the API answers nonsense with JSON: unknown paths, bad bodies, versions out of range", async () => {
  await using engine = await startEngine({ image: false });
  await expect(engine.wire.bytes("GET", "/no/such/path")).rejects.toMatchObject({
    status: 404,
    message: "page not found",
  });
  await expect(
    engine.wire.bytes("POST", "/containers/create", {
      body: Buffer.from("{"),
      headers: { "Content-Type": "application/json" },
    }),
  ).rejects.toMatchObject({ status: 400 });
  const versions = async (prefix: string) =>
    (await fetch(`http://localhost${prefix}/version`, { unix: engine.socket })).status;
  expect(await versions("/v1.22")).toBe(200);
  expect(await versions("/v1.50")).toBe(200);
  expect(await versions("")).toBe(200);
  expect(await versions("/v1.21")).toBe(400);
  expect(await versions("/v9.0")).toBe(400);
});
