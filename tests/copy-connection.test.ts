/** Copies over one connection after another request: the helper that reads the socket gives it back, or ends with it. */
import { connect, type Socket } from "node:net";
import { randomFillSync } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "bun:test";
import { type Engine, startEngine } from "./harness/engine.ts";
import { alive, until } from "./harness/process.ts";
import { tar } from "./harness/tar.ts";

/** A connection that is kept, and what comes over it. */
class Connection {
  readonly socket: Socket;
  readonly closed = Promise.withResolvers<void>();
  #received: Buffer[] = [];

  constructor(engine: Engine) {
    this.socket = connect({ path: engine.socket });
    this.socket.on("data", (chunk: Buffer) => this.#received.push(chunk));
    this.socket.on("close", () => this.closed.resolve());
    this.socket.on("error", () => {});
  }

  send(method: string, path: string, headers = ""): void {
    this.socket.write(`${method} /v1.50${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`);
  }

  /** The next answer, whose end is told by its framing. */
  async answer(): Promise<{ status: number; body: Buffer }> {
    return await until("it is answered", () => {
      const bytes = Buffer.concat(this.#received);
      this.#received = [bytes];
      const start = bytes.indexOf("\r\n\r\n") + 4;
      if (start < 4) return undefined;
      const head = bytes.toString("latin1", 0, start);
      const found = head.includes("chunked") ? dechunked(bytes, start) : sized(bytes, start, head);
      if (found === undefined) return undefined;
      this.#received = [bytes.subarray(found.end)];
      return { status: Number(head.slice(9, 12)), body: found.body };
    });
  }
}

function sized(bytes: Buffer, start: number, head: string): { body: Buffer; end: number } | undefined {
  const end = start + Number(/content-length: (\d+)/i.exec(head)?.[1]);
  return bytes.length < end ? undefined : { body: bytes.subarray(start, end), end };
}

function dechunked(bytes: Buffer, start: number): { body: Buffer; end: number } | undefined {
  const pieces: Buffer[] = [];
  for (let at = start; ;) {
    const line = bytes.indexOf("\r\n", at);
    if (line < 0) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", at, line), 16);
    at = line + 2 + size + 2;
    if (bytes.length < at) return undefined;
    if (size === 0) return { body: Buffer.concat(pieces), end: at };
    pieces.push(bytes.subarray(line + 2, line + 2 + size));
  }
}

/** Of the daemon's children, those that unpack or pack. */
function helpers(engine: Engine): number[] {
  return readdirSync("/proc").flatMap((name) => {
    try {
      const parent = /\nPPid:\t(\d+)/.exec(readFileSync(`/proc/${name}/status`, "latin1"))?.[1];
      const command = readFileSync(`/proc/${name}/cmdline`, "latin1").split("\0");
      const packs = command.includes("unpack") || command.includes("pack");
      return Number(parent) === engine.pid && packs ? [Number(name)] : [];
    } catch {
      return []; // no process, or gone
    }
  });
}

const chunk = (bytes: Uint8Array) =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
const content = randomFillSync(Buffer.alloc(5_000_001));
const archive = tar([
  { name: "folder", type: "directory" },
  ...Array.from({ length: 300 }, (_, index) => ({ name: `folder/${index}`, content: "x".repeat(index * 20) })),
  { name: "folder/large", content },
]);

test("copies in and out over one kept connection are the same to the byte, and other requests go between them", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  const connection = new Connection(engine);
  const path = `/containers/${box.id}/archive?path=`;
  for (const folder of ["/tmp", "/root"]) {
    connection.send("PUT", `${path}${folder}`, "Transfer-Encoding: chunked\r\n");
    for (let at = 0; at < archive.length; at += 7777) connection.socket.write(chunk(archive.subarray(at, at + 7777)));
    connection.socket.write("0\r\n\r\n");
    // At once, behind the body.
    connection.send("GET", `${path}${folder}/folder/large`);
    connection.send("GET", "/_ping");
    expect((await connection.answer()).status).toBe(200);
    const { status, body } = await connection.answer();
    expect(status).toBe(200);
    expect(body.subarray(512, 512 + content.length).equals(content)).toBe(true);
    expect((await connection.answer()).body.toString()).toBe("OK");
    connection.send("PUT", `${path}${folder}`, `Content-Length: ${archive.length}\r\n`);
    connection.socket.write(archive);
    connection.send("GET", `${path}${folder}/folder`);
    expect((await connection.answer()).status).toBe(200);
    const files = await new Bun.Archive(Uint8Array.from((await connection.answer()).body)).files();
    expect(files.size).toBe(301);
    expect(await files.get("folder/299")?.text()).toBe("x".repeat(299 * 20));
  }
  connection.send("PUT", `${path}/nowhere`, "Content-Length: 0\r\n");
  expect((await connection.answer()).status).toBe(404);
  connection.send("GET", "/_ping");
  expect((await connection.answer()).body.toString()).toBe("OK");
  connection.socket.destroy();
});

test("a client that leaves in the middle, either way, takes the helper along and leaves the container free", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "head -c 50000000 /dev/zero >/large; sleep 600"]);
  await until("it is written", async () => (await box.exec(["stat", "-c", "%s", "/large"])).stdout === "50000000\n");
  const into = new Connection(engine);
  into.send("PUT", `/containers/${box.id}/archive?path=/tmp`, "Transfer-Encoding: chunked\r\n");
  into.socket.write(chunk(archive.subarray(0, 2_000_000)));
  const out = new Connection(engine);
  out.socket.pause();
  out.send("GET", `/containers/${box.id}/archive?path=/large`);
  await until("both are at work", () => helpers(engine).length === 2);
  into.socket.destroy();
  out.socket.destroy();
  await until("both are gone", () => helpers(engine).length === 0);
  await box.remove({ force: true });
});

test("a daemon that is killed takes along the helper that holds a client's socket", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  const connection = new Connection(engine);
  connection.send("PUT", `/containers/${box.id}/archive?path=/tmp`, "Transfer-Encoding: chunked\r\n");
  connection.socket.write(chunk(archive.subarray(0, 2_000_000)));
  const [helper = 0] = await until("it is at work", () => {
    const found = helpers(engine);
    return found.length > 0 && found;
  });
  await until("files arrive", async () => (await box.exec(["ls", "/tmp/folder/299"])).code === 0);
  await engine.kill9();
  await connection.closed.promise;
  await until("the helper is gone", () => !alive(helper));
  await engine.start();
  expect((await box.exec(["true"])).code).toBe(0);
  await box.remove({ force: true });
});
