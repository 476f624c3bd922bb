/** Attach: both directions of a container's streams, with and without a terminal. */
import { expect, test } from "bun:test";
import { startEngine } from "./harness/engine.ts";
import { standstill, until } from "./harness/process.ts";
import { demultiplex } from "./harness/wire.ts";

const open = { OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true, AttachStderr: true };

test("output before the start of reading is not lost, and stdout stays apart from stderr", async () => {
  await using engine = await startEngine();
  const box = await engine.create(["sh", "-c", "echo out; echo err >&2; exit 3"]);
  using stream = await box.attach("stream=1&stdout=1&stderr=1");
  await box.start();
  expect(demultiplex(await stream.all())).toEqual({ stdout: "out\n", stderr: "err\n" });
  expect(await box.wait()).toBe(3);
});

test("ending our half ends the program's stdin, and its output still arrives", async () => {
  await using engine = await startEngine();
  const box = await engine.create(["sh", "-c", "wc -c; echo done"], open);
  using stream = await box.attach();
  await box.start();
  stream.write("x".repeat(100_000));
  stream.end();
  expect(demultiplex(await stream.all()).stdout).toBe("100000\ndone\n");
});

test("bytes go through unchanged both ways: 32 MB of noise", async () => {
  await using engine = await startEngine();
  const box = await engine.create(["cat"], { ...open, HostConfig: { LogConfig: { Type: "none", Config: {} } } });
  using stream = await box.attach();
  await box.start();
  const noise = Buffer.alloc(32 << 20);
  for (let at = 0; at < noise.length; at += 65536) crypto.getRandomValues(noise.subarray(at, at + 65536));
  stream.write(noise);
  stream.end();
  const received: Buffer[] = [];
  const all = await stream.all();
  for (let at = 0; at < all.length; at += 8 + all.readUInt32BE(at + 4)) {
    received.push(all.subarray(at + 8, at + 8 + all.readUInt32BE(at + 4)));
  }
  expect(Bun.hash(Buffer.concat(received))).toBe(Bun.hash(noise));
});

test("a terminal has a size, follows resizes and sends one raw stream", async () => {
  await using engine = await startEngine();
  const box = await engine.create(["sh"], { ...open, Tty: true, HostConfig: { ConsoleSize: [33, 77] } });
  using stream = await box.attach();
  await box.start();
  stream.write("stty size; tty\n");
  await stream.until("33 77");
  await stream.until("/dev/pts/0");
  await box.resize(40, 100);
  stream.write("stty size\n");
  await stream.until("40 100");
  stream.write("exit 6\n");
  await stream.all();
  expect(await box.wait()).toBe(6);
});

test("the detach keys end the attachment and leave the program running", async () => {
  await using engine = await startEngine();
  const box = await engine.create(["sh"], { ...open, StdinOnce: false, Tty: true });
  using stream = await box.attach("stream=1&stdin=1&stdout=1&detachKeys=ctrl-a,d");
  await box.start();
  // The first key alone is the program's when another follows.
  stream.write("\x01x\n");
  await stream.until("x");
  stream.write("\x01d");
  await stream.all();
  expect((await box.inspect()).State.Running).toBe(true);
  using again = await box.attach();
  again.write("echo still-$((40 + 2))\n");
  await again.until("still-42");
});

test("two clients see the same output, and one that leaves does not stop the other", async () => {
  await using engine = await startEngine();
  const box = await engine.create(["sh", "-c", "read x; echo $x; read y; echo $y"], { OpenStdin: true });
  using first = await box.attach();
  using second = await box.attach("stream=1&stdout=1&stderr=1");
  await box.start();
  first.write("one\n");
  await Promise.all([first.until("one"), second.until("one")]);
  second[Symbol.dispose]();
  first.write("two\n");
  expect(demultiplex(await first.all()).stdout).toBe("one\ntwo\n");
});

test("a client that falls behind holds nobody up, and loses nothing once it reads", async () => {
  await using engine = await startEngine();
  const box = await engine.create(["sh", "-c", "head -c 900000 /dev/zero | tr '\\0' x; echo end"]);
  using quick = await box.attach("stream=1&stdout=1");
  using slow = await box.attach("stream=1&stdout=1");
  slow.pause();
  await box.start();
  const all = demultiplex(await quick.all()).stdout;
  expect(all).toBe(`${"x".repeat(900_000)}end\n`);
  slow.resume();
  expect(demultiplex(await slow.all()).stdout).toBe(all);
});

test("one that never reads stops the process rather than filling memory, and frees it by leaving", async () => {
  await using engine = await startEngine();
  const size = 64 << 20;
  const box = await engine.create(["head", "-c", String(size), "/dev/zero"], {
    HostConfig: { LogConfig: { Type: "none", Config: {} } },
  });
  using quick = await box.attach("stream=1&stdout=1");
  const stuck = await box.attach("stream=1&stdout=1");
  stuck.pause();
  const resident = async () =>
    Number(/VmRSS:\s+(\d+) kB/.exec(await Bun.file(`/proc/${engine.pid}/status`).text())?.[1]) * 1024;
  const before = await resident();
  await box.start();
  await standstill("the output", () => quick.length);
  expect(quick.length).toBeLessThan(16 << 20);
  expect((await resident()) - before).toBeLessThan(48 << 20);
  expect((await box.inspect()).State.Running).toBe(true);
  stuck[Symbol.dispose]();
  expect(demultiplex(await quick.all()).stdout).toHaveLength(size);
});

test("what a client still says after the end is not for the next process", async () => {
  await using engine = await startEngine();
  const box = await engine.create(["sh", "-c", "read x; echo got $x"], { OpenStdin: true });
  using first = await box.attach();
  await box.start();
  first.write("one\n");
  expect(demultiplex(await first.all()).stdout).toBe("got one\n");
  first.write("stale\n");
  using second = await box.attach();
  await box.start();
  second.write("fresh\n");
  expect(demultiplex(await second.all()).stdout).toBe("got fresh\n");
});

test("attach with logs gives what was written before", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "echo before; read x"], { OpenStdin: true });
  await until("it wrote", async () => (await box.logs()).stdout === "before\n");
  using stream = await box.attach("logs=1&stream=1&stdout=1&stdin=1");
  await stream.until("before");
  using past = await box.attach("logs=1&stdout=1");
  expect(demultiplex(await past.all()).stdout).toBe("before\n");
});

test("detach keys that are none are refused before the stream begins", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "60"]);
  await expect(box.attach("stream=1&detachKeys=ctrl-1")).rejects.toMatchObject({
    status: 400,
    message: expect.stringContaining("Invalid detach keys (ctrl-1) provided"),
  });
});

test("attaching to a container that is not there is an HTTP error, not a stream", async () => {
  await using engine = await startEngine({ image: false });
  await expect(engine.wire.hijack("/containers/absent/attach?stream=1")).rejects.toMatchObject({
    status: 404,
    message: "No such container: absent",
  });
});
