import { afterEach, beforeEach, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type HttpHandler, HttpServer } from "./server.ts";

let folder: string;
let server: HttpServer;
let handler: HttpHandler;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-http-"));
  server = new HttpServer((request, response) => handler(request, response));
  server.listenUnix(join(folder, "s"));
});
afterEach(async () => {
  await server.close(0);
  rmSync(folder, { recursive: true });
});

/** A client that keeps all it receives. */
class Client {
  readonly socket: Socket = connect({ path: join(folder, "s"), allowHalfOpen: true });
  readonly ended = Promise.withResolvers<void>();
  text = "";
  #heard = Promise.withResolvers<void>();

  constructor() {
    this.socket.on("data", (chunk: Buffer) => {
      this.text += chunk.toString("latin1");
      this.#heard.resolve();
      this.#heard = Promise.withResolvers();
    });
    for (const end of ["end", "close", "error"]) this.socket.on(end, () => this.ended.resolve());
  }

  async until(word: string): Promise<string> {
    while (!this.text.includes(word)) await this.#heard.promise;
    return this.text;
  }
}

const get = (path: string, headers = "") => `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;

test("one connection carries one request after another, whatever was left of the bodies", async () => {
  handler = async (request, response) =>
    response.send(200, request.path === "/read" ? await request.body.text(100) : "unread");
  const client = new Client();
  const post = (path: string, body: string) =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  client.socket.write(post("/skip", "skipped") + post("/read", "taken"));
  client.socket.write(
    "POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nin \r\n6\r\npieces\r\n0\r\n\r\n",
  );
  client.socket.write(get("/last", "Connection: close\r\n"));
  await client.ended.promise;
  const bodies = client.text.split(/HTTP\/1\.1 200 OK\r\n(?:.+\r\n)*\r\n/);
  expect(bodies).toEqual(["", "unread", "taken", "in pieces", "unread"]);
});

test("a streamed body goes out at once, in chunks or, to HTTP/1.0, until the end of the connection", async () => {
  const more = Promise.withResolvers<void>();
  handler = async (_, response) => {
    const body = response.stream(200, "text/plain");
    void body.write("first");
    await more.promise;
    void body.write("second");
    body.end();
  };
  const [modern, old] = [new Client(), new Client()];
  modern.socket.write(get("/"));
  old.socket.write("GET / HTTP/1.0\r\n\r\n");
  await Promise.all([modern.until("5\r\nfirst\r\n"), old.until("\r\n\r\nfirst")]);
  more.resolve();
  await Promise.all([modern.until("6\r\nsecond\r\n0\r\n\r\n"), old.ended.promise]);
  expect(old.text).toEndWith("\r\n\r\nfirstsecond");
  modern.socket.destroy();
});

test("a client that does not read makes the writer wait, and one that leaves ends it", async () => {
  const stuck = Promise.withResolvers<void>();
  const outcome = Promise.withResolvers<[size: number, aborted: boolean]>();
  handler = async (request, response) => {
    const body = response.stream(200, "text/plain");
    const chunk = new Uint8Array(64 * 1024);
    let size = 0;
    for (;;) {
      const taken = body.write(chunk);
      if (taken === false) break;
      size += chunk.length;
      if (taken === true) continue;
      stuck.resolve();
      await taken;
    }
    outcome.resolve([size, request.signal.aborted]);
  };
  const client = new Client();
  client.socket.pause();
  client.socket.write(get("/"));
  await stuck.promise;
  client.socket.destroy();
  const [size, aborted] = await outcome.promise;
  expect(size).toBeLessThan(8 << 20);
  expect(aborted).toBe(true);
});

test("a hijacked connection is two ways that end apart, and keeps what came with the head", async () => {
  handler = async (_, response) => {
    const connection = response.hijack("application/vnd.docker.raw-stream");
    let heard = "";
    for await (const chunk of connection.readable) heard += Buffer.from(chunk).toString();
    // The client's half is over; ours is not.
    void connection.write(Buffer.from(`heard ${heard}`));
    connection.end();
  };
  const client = new Client();
  client.socket.write(`POST /attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly `);
  await client.until("101 UPGRADED");
  client.socket.end("and late");
  await client.ended.promise;
  expect(client.text).toEndWith("\r\n\r\nheard early and late");
});

test("what is no request is refused, and a body is asked for only when wanted", async () => {
  handler = async (request, response) =>
    request.path === "/wanted" ? response.send(200, await request.body.text(10)) : response.send(200);
  const bad = new Client();
  bad.socket.write("NONSENSE\r\n\r\n");
  await bad.ended.promise;
  expect(bad.text).toStartWith("HTTP/1.1 400 Bad Request\r\n");
  const large = new Client();
  large.socket.write(get("/", `X: ${"x".repeat(70_000)}\r\n`));
  await large.ended.promise;
  expect(large.text).toStartWith("HTTP/1.1 431 ");
  const patient = new Client();
  patient.socket.write("POST /wanted HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  await patient.until("100 Continue");
  patient.socket.write("body");
  await patient.until("\r\n\r\nbody");
  patient.socket.destroy();
});

test("a server with nothing under way closes at once, whatever the grace", async () => {
  const program = `
    import { HttpServer } from ${JSON.stringify(`${import.meta.dir}/server.ts`)};
    const server = new HttpServer(() => {});
    server.listenTcp("127.0.0.1", 0);
    await server.close(60_000);
  `;
  const child = Bun.spawn([process.execPath, "-e", program], { stdout: "ignore", stderr: "inherit" });
  const timer = setTimeout(() => child.kill(), 20_000);
  expect(await child.exited).toBe(0);
  clearTimeout(timer);
  expect(child.signalCode).toBeNull();
});

test("closing waits longer for archives, also while they are worked on, than for anything else", async () => {
  const [arrived, done] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  handler = async (request, response) => {
    if (request.path === "/wait") {
      await new Promise((resolve) => request.signal.addEventListener("abort", resolve));
      return response.send(200, "never heard");
    }
    for await (const _ of request.body);
    arrived.resolve();
    await done.promise;
    response.send(200, "unpacked");
  };
  const [waiting, upload] = [new Client(), new Client()];
  waiting.socket.write(get("/wait"));
  const size = 512 * 1024;
  upload.socket.write(`POST /load HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n`);
  upload.socket.write(new Uint8Array(size));
  await arrived.promise;
  const closed = server.close(10, 20_000);
  await Bun.sleep(50);
  done.resolve();
  await closed;
  await Promise.all([waiting.ended.promise, upload.ended.promise]);
  expect(upload.text).toEndWith("unpacked");
  expect(waiting.text).toBe("");
});
