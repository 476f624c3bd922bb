import { afterEach, beforeEach, expect, test } from "bun:test";
import { constants, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { errorMessage } from "#lib/errors.ts";
import { BodyDecoder, startOf } from "#lib/http/decoder.ts";
import { HttpServer } from "#lib/http/server.ts";
import { type Lendable, packIntoAnswer, unpackArchive } from "./helper-client.ts";
import { rawTar, temporaryFolder } from "./helper-testing.ts";

let folder: ReturnType<typeof temporaryFolder>;
let target: string;
let server: HttpServer;
/** What each upload came to, in their order. */
let outcomes: string[];
let heard: () => void;
let loans: number;
beforeEach(() => {
  folder = temporaryFolder();
  target = join(folder.path, "target");
  mkdirSync(target);
  outcomes = [];
  heard = () => {};
  loans = 0;
  let lent: number | undefined;
  server = new HttpServer(async ({ method, path, body, signal }, response) => {
    if (path === "/archive") {
      const answer = await response.lend(200, "application/x-tar");
      if (answer === undefined) throw new Error("there is nothing to lend");
      await packIntoAnswer(answer, { root: target, mode: "plain" }, signal);
      checkNonBlocking(answer.fd);
      return answer.end();
    }
    if (method === "GET") return response.send(200, `here is ${path}`);
    const archive: Lendable = {
      [Symbol.asyncIterator]: () => body[Symbol.asyncIterator](),
      unread: (bytes) => body.unread(bytes),
      lend: async () => {
        const loan = await body.lend();
        if (loan !== undefined) loans++;
        lent = loan?.fd;
        return loan;
      },
    };
    try {
      const { entries } = await unpackArchive({ archive, target, mode: "plain", maxBytes: 4 << 20 }, signal);
      outcomes.push(`${entries} entries`);
      if (lent !== undefined) checkNonBlocking(lent);
      response.send(200, `unpacked ${entries}`);
    } catch (error) {
      outcomes.push(errorMessage(error));
      response.send(400, errorMessage(error));
    }
    heard();
  });
  server.listenUnix(join(folder.path, "s"));
});
afterEach(async () => {
  await server.close(0);
  folder[Symbol.dispose]();
});

/** A socket that blocks would stop the whole daemon at the next client that does not read. */
function checkNonBlocking(fd: number | undefined): void {
  const flags = /^flags:\t([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "latin1"))?.[1] ?? "";
  expect(Number.parseInt(flags, 8) & constants.O_NONBLOCK).not.toBe(0);
}

class Client {
  readonly socket: Socket = connect({ path: join(folder.path, "s") });
  readonly ended = Promise.withResolvers<void>();
  text = "";
  #more = Promise.withResolvers<void>();

  constructor() {
    this.socket.on("data", (chunk: Buffer) => {
      this.text += chunk.toString("latin1");
      this.#more.resolve();
      this.#more = Promise.withResolvers();
    });
    this.socket.on("close", () => this.ended.resolve());
    this.socket.on("error", () => {});
  }

  async until(word: string): Promise<void> {
    while (!this.text.includes(word)) await this.#more.promise;
  }

  /** Resolves when the kernel has taken it. */
  send(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => this.socket.write(bytes, () => resolve()));
  }
}

const chunked = "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
const chunk = (bytes: Uint8Array, extension = "") =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}${extension}\r\n`), bytes, Buffer.from("\r\n")]);
const next = "GET /next HTTP/1.1\r\nHost: x\r\n\r\n";

/** Bytes that look like framing everywhere. */
const large = "0\r\n\r\nGET / HTTP/1.1\r\n".repeat(100_000);
const archive = rawTar({ name: "first", content: "small" }, { name: "large", content: large }, { name: "last" });

function checkTree(): void {
  expect(readdirSync(target).toSorted()).toEqual(["first", "large", "last"]);
  expect(readFileSync(join(target, "large"), "latin1") === large).toBe(true);
}

test("an archive in chunks of all sizes arrives whole, and the connection carries what follows it", async () => {
  const client = new Client();
  await client.send(chunked);
  let at = 0;
  for (const size of [512, 1, 70_000, 4096, 3, 32_768, archive.length]) {
    await client.send(chunk(archive.subarray(at, at + size), size === 3 ? ";odd=yes" : ""));
    at = Math.min(at + size, archive.length);
  }
  await client.send(`0\r\nTrailer: of no use\r\n\r\n${next}${next}${chunked}`);
  await client.until("here is /next");
  const again = rawTar({ name: "again" });
  await client.send(Buffer.concat([chunk(again), Buffer.from(`0\r\n\r\n${next}`)]));
  await client.until("unpacked 1");
  client.text = client.text.slice(client.text.indexOf("unpacked 1"));
  await client.until("here is /next");
  expect(outcomes).toEqual(["3 entries", "1 entries"]);
  expect(loans).toBeGreaterThan(0);
  expect(readdirSync(target)).toContain("again");
  client.socket.destroy();
});

test("an archive goes out between answers of the daemon, to a client that is slow to read", async () => {
  const client = new Client();
  await client.send(Buffer.concat([Buffer.from(chunked), chunk(archive), Buffer.from("0\r\n\r\n")]));
  await client.until("unpacked 3");
  client.text = "";
  client.socket.pause();
  await client.send(`GET /archive HTTP/1.1\r\nHost: x\r\n\r\n${next}`);
  client.socket.resume();
  await client.until("here is /next");
  const body = Buffer.from(client.text.slice(client.text.indexOf("\r\n\r\n") + 4), "latin1");
  const decoder = new BodyDecoder(startOf({ kind: "chunked" }));
  const { start, end, used } = decoder.decode(body);
  expect(decoder.done).toBe(true);
  expect(body.toString("latin1", used)).toStartWith("HTTP/1.1 200 OK");
  expect(body.subarray(start, end).includes(Buffer.from(large))).toBe(true);
  client.socket.destroy();
});

test("an archive of announced length, and the next request in the same breath", async () => {
  const client = new Client();
  await client.send(`PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: ${archive.length}\r\n\r\n`);
  await client.until("100 Continue");
  await client.send(archive.subarray(0, 100_000));
  await client.send(Buffer.concat([archive.subarray(100_000), Buffer.from(next)]));
  await client.until("here is /next");
  expect(client.text).toContain("unpacked 3");
  expect(loans).toBe(1);
  checkTree();
  client.socket.destroy();
});

test("all of it at once, and over TCP", async () => {
  const port = server.listenTcp("127.0.0.1", 0);
  const whole = Buffer.concat([Buffer.from(chunked), chunk(archive), Buffer.from(`0\r\n\r\n${next}`)]);
  for (const socket of [new Client().socket, connect({ host: "127.0.0.1", port })]) {
    let text = "";
    const answered = Promise.withResolvers<void>();
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString();
      if (text.includes("here is /next")) answered.resolve();
    });
    socket.write(whole);
    await answered.promise;
    checkTree();
    socket.destroy();
  }
  expect(outcomes).toEqual(["3 entries", "3 entries"]);
});

test("a compressed archive, an empty one and a tiny one are not lent", async () => {
  const client = new Client();
  for (const body of [gzipSync(archive), Buffer.alloc(1024), rawTar({ name: "x" })]) {
    await client.send(Buffer.concat([Buffer.from(chunked), chunk(body), Buffer.from("0\r\n\r\n")]));
  }
  await client.send(`${chunked}0\r\n\r\n${next}`);
  await client.until("here is /next");
  expect(outcomes).toEqual(["3 entries", "0 entries", "1 entries", "0 entries"]);
  expect(loans).toBe(0);
  client.socket.destroy();
});

for (const leave of ["destroy", "end"] as const) {
  test(`a client that leaves in the middle (${leave}) ends the helper, and what it sent stays incomplete`, async () => {
    const over = new Promise<void>((resolve) => (heard = resolve));
    const client = new Client();
    await client.send(chunked);
    await client.send(chunk(archive.subarray(0, 300_000)));
    await client.send("7fff\r\npart of a chunk");
    client.socket[leave]();
    await over;
    expect(outcomes).toEqual([expect.stringMatching(/unexpected EOF|The operation was aborted/) as string]);
    expect(readdirSync(target)).not.toContain("last");
  });
}

test("a malformed body, a malformed archive and one beyond the limits are refused, and the connection is given up", async () => {
  const tooLarge = rawTar({ name: "large", content: "x".repeat(5 << 20) });
  for (const [pieces, message] of [
    [[chunk(archive), Buffer.from("not a size\r\n")], "malformed chunked encoding"],
    [[chunk(archive.subarray(0, 600)), Buffer.from("not a size\r\n")], "malformed chunked encoding"],
    [[chunk(Buffer.alloc(700_000, "nonsense")), Buffer.from("0\r\n\r\n")], "malformed archive"],
    [[chunk(tooLarge), Buffer.from("0\r\n\r\n")], "larger than the limit of 4194304 bytes"],
  ] as const) {
    const client = new Client();
    await client.send(chunked);
    for (const piece of pieces) client.socket.write(piece);
    await client.until("HTTP/1.1 400 Bad Request");
    client.socket.end();
    await client.ended.promise;
    expect(client.text).toContain("Connection: close\r\n");
    expect(client.text).toContain(message);
  }
});
