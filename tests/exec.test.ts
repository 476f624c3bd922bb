/** Exec: further programs in a running container. */
import { expect, test } from "bun:test";
import type { ExecInspect } from "#api/types/exec.ts";
import { startEngine } from "./harness/engine.ts";
import { standstill, until } from "./harness/process.ts";

test("streams, exit code, stdin, environment, user and folder", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"], { Env: ["BASE=1"] });
  expect(await box.exec(["sh", "-c", "echo out; echo err >&2; exit 4"])).toEqual({
    code: 4,
    stdout: "out\n",
    stderr: "err\n",
  });
  expect((await box.exec(["wc", "-c"], { stdin: "x".repeat(5000) })).stdout).toBe("5000\n");
  expect((await box.exec(["sh", "-c", "echo $BASE$EXTRA"], { Env: ["EXTRA=2"] })).stdout).toBe("12\n");
  expect((await box.exec(["sh", "-c", "echo $(id -un):$(id -gn) $HOME"], { User: "app" })).stdout).toBe(
    "app:app /home/app\n",
  );
  expect((await box.exec(["pwd"], { WorkingDir: "/data" })).stdout).toBe("/data\n");
});

test("a terminal of its own, resized", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  const id = await box.prepareExec(["sh"], { Tty: true, stdin: "" });
  using stream = await engine.wire.hijack(`/exec/${id}/start`, { Detach: false, Tty: true, ConsoleSize: [20, 60] });
  stream.write("stty size\n");
  await stream.until("20 60");
  await engine.wire.bytes("POST", `/exec/${id}/resize?h=25&w=90`);
  stream.write("stty size\n");
  await stream.until("25 90");
  stream.write("exit 5\n");
  await stream.all();
  expect(await engine.wire.json("GET", `/exec/${id}/json`)).toMatchObject({ Running: false, ExitCode: 5 });
});

test("bytes go through unchanged both ways, and its input ends with the client's", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  const noise = Buffer.alloc(8 << 20);
  for (let at = 0; at < noise.length; at += 65536) crypto.getRandomValues(noise.subarray(at, at + 65536));
  const id = await box.prepareExec(["cat"], { stdin: "" });
  using stream = await engine.wire.hijack(`/exec/${id}/start`, {});
  stream.write(noise);
  stream.end();
  const all = await stream.all();
  const received: Buffer[] = [];
  for (let at = 0; at < all.length; at += 8 + all.readUInt32BE(at + 4)) {
    received.push(all.subarray(at + 8, at + 8 + all.readUInt32BE(at + 4)));
  }
  expect(Bun.hash(Buffer.concat(received))).toBe(Bun.hash(noise));
});

test("detach keys of its own leave the program running, and so does a client that goes", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  const typed = await box.prepareExec(["cat"], { Tty: true, stdin: "", DetachKeys: "ctrl-x,q" });
  using stream = await engine.wire.hijack(`/exec/${typed}/start`, { Tty: true });
  stream.write("hello\n");
  await stream.until("hello\r\nhello\r\n");
  stream.write("\x18q");
  await stream.all();
  expect(await engine.wire.json("GET", `/exec/${typed}/json`)).toMatchObject({ Running: true });
  const plain = await box.prepareExec(["sh", "-c", "echo begun; sleep 600"]);
  const second = await engine.wire.hijack(`/exec/${plain}/start`, {});
  await second.until("begun");
  second[Symbol.dispose]();
  expect(await engine.wire.json("GET", `/exec/${plain}/json`)).toMatchObject({ Running: true });
});

test("a client that never reads keeps no exec from ending, and gets what was written all the same", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  const id = await box.prepareExec(["head", "-c", "50000000", "/dev/zero"]);
  using deaf = await engine.wire.hijack(`/exec/${id}/start`, {});
  deaf.pause();
  const inspect = async () => await engine.wire.json<ExecInspect>("GET", `/exec/${id}/json`);
  const pid = await until("it runs", async () => (await inspect()).Pid || undefined);
  await standstill("its output", async () =>
    Number(/wchar: (\d+)/.exec(await Bun.file(`/proc/${pid}/io`).text())?.[1]),
  );
  process.kill(pid, "SIGKILL");
  await until("it ended", async () => !(await inspect()).Running);
  deaf.resume();
  expect((await deaf.all()).length).toBeGreaterThan(1 << 20);
});

test("detached, it runs on and can be inspected", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  const id = await box.prepareExec(["sh", "-c", "sleep 0.3; echo yes > /root/proof; exit 8"]);
  await engine.wire.bytes("POST", `/exec/${id}/start`, { body: { Detach: true } });
  expect(await engine.wire.json("GET", `/exec/${id}/json`)).toMatchObject({ Running: true, ContainerID: box.id });
  await until(
    "it ended",
    async () => !(await engine.wire.json<{ Running: boolean }>("GET", `/exec/${id}/json`)).Running,
  );
  expect(await engine.wire.json("GET", `/exec/${id}/json`)).toMatchObject({ ExitCode: 8 });
  expect((await box.exec(["cat", "/root/proof"])).stdout).toBe("yes\n");
});

test("what cannot run says so: a missing program 127, a stopped container, an unknown id", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  expect((await engine.berth(["exec", box.id, "no-such-program"])).code).toBe(127);
  expect((await engine.berth(["exec", box.id, "/bin/not-executable"])).code).toBe(126);
  await box.kill();
  await box.wait();
  await expect(box.prepareExec(["true"])).rejects.toMatchObject({
    status: 409,
    message: expect.stringContaining("is not running"),
  });
  await expect(engine.wire.bytes("POST", "/exec/0123456789/start", { body: { Detach: true } })).rejects.toMatchObject({
    status: 404,
    message: "No such exec instance: 0123456789",
  });
});

test("twenty at once", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  const results = await Promise.all(Array.from({ length: 20 }, (_, index) => box.exec(["echo", String(index)])));
  expect(results.map(({ stdout }) => Number(stdout))).toEqual(Array.from({ length: 20 }, (_, index) => index));
});

test("an exec ends with its container", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  const running = box.exec(["sh", "-c", "touch /root/here; sleep 600"]);
  await until("it runs", async () => (await box.exec(["test", "-e", "/root/here"])).code === 0);
  await box.kill();
  expect((await running).code).toBe(137);
});
