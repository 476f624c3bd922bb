/** attach over WebSocket, by Bun's own client on the daemon's unix socket. */
import { expect, test } from "bun:test";
import { type Engine, startEngine } from "./harness/engine.ts";
import { story } from "./harness/health.ts";
import { sha256 } from "./harness/image.ts";
import { until } from "./harness/process.ts";

interface Attached {
  socket: WebSocket;
  text: () => string;
  /** Whether messages came as text or as bytes. */
  kinds: Set<string>;
  closed: Promise<number>;
}

async function attach(engine: Engine, path: string): Promise<Attached> {
  const socket = new WebSocket(`ws+unix://${engine.socket}:${path}`);
  socket.binaryType = "arraybuffer";
  const opened = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<number>();
  const kinds = new Set<string>();
  let text = "";
  socket.addEventListener("open", () => opened.resolve());
  socket.addEventListener("error", () => opened.reject(new Error("the daemon refused the WebSocket")));
  socket.addEventListener("close", ({ code }) => closed.resolve(code));
  socket.addEventListener("message", ({ data }: MessageEvent<string | ArrayBuffer>) => {
    kinds.add(typeof data === "string" ? "text" : "binary");
    text += typeof data === "string" ? data : Buffer.from(data).toString();
  });
  await opened.promise;
  return { socket, text: () => text, kinds, closed: closed.promise };
}

test("input, both outputs and the end of a container go through, without Docker's frames", async () => {
  await using engine = await startEngine();
  const box = await engine.create(["sh", "-c", "read line; echo out $line; echo err >&2; exit 3"], {
    OpenStdin: true,
    StdinOnce: true,
  });
  const one = await attach(engine, `/v1.50/containers/${box.id}/attach/ws?stream=1&stdin=1&stdout=1&stderr=1`);
  const old = await attach(engine, `/v1.27/containers/${box.id}/attach/ws?stream=1`);
  const outOnly = await attach(engine, `/v1.50/containers/${box.id}/attach/ws?stream=1&stdout=1`);
  await box.start();
  one.socket.send("hello\n");
  expect(await Promise.all([one.closed, old.closed, outOnly.closed])).toEqual([1000, 1000, 1000]);
  expect(await box.wait()).toBe(3);
  expect(one.text().split("\n").toSorted()).toEqual(["", "err", "out hello"]);
  expect(old.text().split("\n").toSorted()).toEqual(["", "err", "out hello"]);
  expect(outOnly.text()).toBe("out hello\n");
  expect([...one.kinds, ...old.kinds]).toEqual(["binary", "text"]);
});

test("megabytes go through both ways, unchanged", async () => {
  await using engine = await startEngine();
  const size = 4 << 20;
  const box = await engine.create(["sh", "-c", `head -c ${size} | sha256sum; seq 500000`], { OpenStdin: true });
  const both = await attach(engine, `/containers/${box.id}/attach/ws?stream=1&stdin=1&stdout=1`);
  await box.start();
  const input = new Uint8Array(size);
  for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(input.subarray(at, at + 65_536));
  // Frames of all three kinds of length.
  for (const [from, to] of [
    [0, 100],
    [100, 30_000],
    [30_000, size],
  ]) {
    both.socket.send(input.subarray(from, to));
  }
  expect(await both.closed).toBe(1000);
  const [hash, ...lines] = both.text().split("\n");
  expect(hash).toBe(`${sha256(input)}  -`);
  expect(lines.length).toBe(500_001);
  expect(lines.findIndex((line, index) => line !== String(index + 1))).toBe(500_000);
});

test("what was said before comes with logs, alone or before the stream", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "echo before; echo too >&2; read line; echo after"], { OpenStdin: true });
  await until("it spoke", async () => (await box.logs()).stderr !== "");
  const past = await attach(engine, `/containers/${box.id}/attach/ws?logs=1&stdout=1&stderr=1`);
  expect(await past.closed).toBe(1000);
  expect(past.text().split("\n").toSorted()).toEqual(["", "before", "too"]);
  const both = await attach(engine, `/containers/${box.id}/attach/ws?logs=1&stream=1&stdin=1&stdout=1`);
  await until("the past came", () => both.text() === "before\n");
  both.socket.send("go\n");
  expect(await both.closed).toBe(1000);
  expect(both.text()).toBe("before\nafter\n");
});

test("detach keys end the stream and leave the program, and so does a client that closes", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh"], { OpenStdin: true, Tty: true });
  const query = "stream=1&stdin=1&stdout=1&detachKeys=ctrl-x";
  const first = await attach(engine, `/containers/${box.id}/attach/ws?${query}`);
  first.socket.send("echo $((6 * 7))-alive\n");
  await until("it answered", () => first.text().includes("42-alive"));
  first.socket.send("\x18");
  expect(await first.closed).toBe(1000);
  const second = await attach(engine, `/containers/${box.id}/attach/ws?${query}`);
  second.socket.close(1000);
  expect(await second.closed).toBe(1000);
  await until("it is detached", async () => (await story(engine, box)).includes("detach"));
  expect((await box.inspect()).State.Running).toBe(true);
});

test("refusals have a status: no WebSocket, no container, a paused one", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  const handshake = {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
  };
  const ask = async (id: string, headers: Record<string, string>) => {
    const answer = await engine.wire.send("GET", `/containers/${id}/attach/ws?stream=1`, { headers });
    return `${answer.status} ${((await answer.json()) as { message: string }).message}`;
  };
  expect(await ask(box.id, {})).toBe("400 not websocket protocol");
  expect(await ask("nobody", handshake)).toBe("404 No such container: nobody");
  await engine.wire.bytes("POST", `/containers/${box.id}/pause`);
  expect(await ask(box.id, handshake)).toMatch(/^409 container .* is paused, unpause the container before attach$/);
});
