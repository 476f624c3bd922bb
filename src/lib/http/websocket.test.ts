import { afterEach, beforeEach, expect, test } from "bun:test";
import { HttpServer } from "./server.ts";
import { acceptWebSocket, WebSocketConnection } from "./websocket.ts";
import { BINARY, CLOSE, closeFrame, CONTINUATION, frame, FrameReader, PING, PONG, TEXT } from "./websocket-frames.ts";

/** A client's frame: masked, final unless said otherwise. */
function masked(opcode: number, payload: Uint8Array, final = true): Uint8Array {
  const plain = frame(opcode, payload);
  const head = plain.length - payload.length;
  const mask = Uint8Array.of(1, 2, 3, 250);
  const framed = new Uint8Array(plain.length + 4);
  framed.set(plain.subarray(0, head));
  framed[0] = (final ? 0x80 : 0) | opcode;
  framed[1] = (framed[1] as number) | 0x80;
  framed.set(mask, head);
  for (const [i, byte] of payload.entries()) framed[head + 4 + i] = byte ^ (mask[i & 3] as number);
  return framed;
}

function readAll(bytes: Uint8Array, size: number): { text: string; controls: [number, string][] } {
  const pieces: Uint8Array[] = [];
  const controls: [number, string][] = [];
  const reader = new FrameReader({
    data: (piece) => pieces.push(piece),
    control: (opcode, payload) => controls.push([opcode, Buffer.from(payload).toString("latin1")]),
  });
  for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
  return { text: Buffer.concat(pieces).toString("latin1"), controls };
}

test("frames of every length come through however they are cut up, with control frames between them", () => {
  const medium = Buffer.alloc(1000, "m");
  const long = Buffer.alloc(70_000, "l");
  const bytes = Buffer.concat([
    masked(TEXT, Buffer.from("one"), false),
    masked(PING, Buffer.from("are you there")),
    masked(CONTINUATION, Buffer.alloc(0), false),
    masked(CONTINUATION, Buffer.from("two")),
    masked(BINARY, medium),
    masked(BINARY, long),
    masked(CLOSE, Uint8Array.of(3, 232)),
    masked(BINARY, Buffer.from("after the end")),
  ]);
  for (const size of [1, 2, 7, 4096, bytes.length]) {
    const { text, controls } = readAll(bytes, size);
    expect(text === `onetwo${medium.toString()}${long.toString()}`).toBe(true);
    expect(controls).toEqual([
      [PING, "are you there"],
      [CLOSE, "\x03\xe8"],
    ]);
  }
});

test("what no client may send is refused", () => {
  const wrong: [string, Uint8Array][] = [
    ["it is not masked", frame(BINARY, Buffer.from("x"))],
    ["its opcode 3 is unknown", masked(3, Buffer.from("x"))],
    ["its opcode 11 is unknown", masked(11, Buffer.from("x"))],
    ["reserved bits are set", masked(0x40 | BINARY, Buffer.from("x"))],
    ["a control frame is fragmented or too long", masked(PING, Buffer.from("x"), false)],
    ["a control frame is fragmented or too long", masked(PING, Buffer.alloc(126))],
    ["a continuation is missing or continues nothing", masked(CONTINUATION, Buffer.from("x"))],
    [
      "a continuation is missing or continues nothing",
      Buffer.concat([masked(TEXT, Buffer.from("x"), false), masked(TEXT, Buffer.from("x"))]),
    ],
  ];
  for (const [why, bytes] of wrong) {
    expect(() => readAll(bytes, bytes.length)).toThrow(`malformed WebSocket frame: ${why}`);
  }
});

let server: HttpServer;
let port: number;
/** What the server's side of the connection read, once that is over. */
let heard: PromiseWithResolvers<string>;
beforeEach(() => {
  heard = Promise.withResolvers();
  server = new HttpServer(async (request, response) => {
    try {
      acceptWebSocket(request, response);
    } catch (error) {
      return response.send(400, (error as Error).message);
    }
    const connection = new WebSocketConnection(response.hijack(), request.path === "/text" ? TEXT : BINARY);
    let text = "";
    for await (const chunk of connection.readable) {
      text += Buffer.from(chunk).toString("latin1");
      void connection.write(chunk);
      if (text.endsWith("bye")) connection.end();
    }
    heard.resolve(text);
  });
  port = server.listenTcp("127.0.0.1", 0);
});
afterEach(() => server.close(0));

interface Client {
  socket: WebSocket;
  messages: (string | Uint8Array)[];
  closed: Promise<{ code: number; wasClean: boolean }>;
  until(count: number): Promise<void>;
}

async function connect(path: string): Promise<Client> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`);
  socket.binaryType = "arraybuffer";
  const messages: Client["messages"] = [];
  let came = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<{ code: number; wasClean: boolean }>();
  const opened = Promise.withResolvers<void>();
  socket.addEventListener("open", () => opened.resolve());
  socket.addEventListener("message", ({ data }: MessageEvent<string | ArrayBuffer>) => {
    messages.push(typeof data === "string" ? data : new Uint8Array(data));
    came.resolve();
    came = Promise.withResolvers();
  });
  socket.addEventListener("close", ({ code, wasClean }) => closed.resolve({ code, wasClean }));
  await opened.promise;
  const until = async (count: number) => {
    while (messages.length < count) await came.promise;
  };
  return { socket, messages, closed: closed.promise, until };
}

test("a WebSocket client talks to the stream in binary or text, and either side ends it properly", async () => {
  const binary = await connect("/binary");
  binary.socket.send(Uint8Array.of(0, 255, 7));
  await binary.until(1);
  expect(binary.messages).toEqual([Uint8Array.of(0, 255, 7)]);
  binary.socket.close(1000);
  expect(await binary.closed).toEqual({ code: 1000, wasClean: true });
  expect(await heard.promise).toBe("\x00\xff\x07");
  heard = Promise.withResolvers();
  const text = await connect("/text");
  text.socket.send("hello, ");
  text.socket.send("bye");
  await text.until(2);
  expect(text.messages).toEqual(["hello, ", "bye"]);
  expect(await text.closed).toEqual({ code: 1000, wasClean: true });
  expect(await heard.promise).toBe("hello, bye");
});

/** Sends frames after a proper handshake and gives the answer's head, and what came until the server's end. */
async function raw(...frames: Uint8Array[]): Promise<{ head: string; rest: Buffer }> {
  const received = Promise.withResolvers<void>();
  const chunks: Buffer[] = [];
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data: (_, chunk) => void chunks.push(chunk),
      end: () => received.resolve(),
      close: () => received.resolve(),
    },
  });
  socket.write(
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  socket.write(Buffer.concat(frames));
  await received.promise;
  socket.terminate();
  const answer = Buffer.concat(chunks);
  const end = answer.indexOf("\r\n\r\n") + 4;
  return { head: answer.subarray(0, end).toString(), rest: answer.subarray(end) };
}

test("nonsense closes the connection with the code for it", async () => {
  const { head, rest } = await raw(frame(BINARY, Buffer.from("unmasked")));
  // The example of RFC 6455, section 1.3.
  expect(head).toContain("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
  expect(head).not.toContain("Content-Type");
  expect(rest).toEqual(Buffer.from(closeFrame(1002)));
});

test("pings are answered, and a close with its own status", async () => {
  const ping = Buffer.from("are you there");
  const { rest } = await raw(masked(PING, ping), masked(CLOSE, Uint8Array.of(3, 233)));
  expect(rest).toEqual(Buffer.concat([frame(PONG, ping), closeFrame(1001)]));
  expect((await raw(masked(CLOSE, new Uint8Array()))).rest).toEqual(Buffer.from(frame(CLOSE, new Uint8Array())));
  for (const wrong of [Uint8Array.of(3), Uint8Array.of(3, 237), Uint8Array.of(0, 1)]) {
    expect((await raw(masked(CLOSE, wrong))).rest).toEqual(Buffer.from(closeFrame(1002)));
  }
});

test("who does not ask for a WebSocket gets none", async () => {
  const ask = async (headers: Record<string, string>) => {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers });
    return `${answer.status} ${await answer.text()}`;
  };
  const upgrade = { Connection: "Upgrade", Upgrade: "websocket" };
  expect(await ask({})).toBe("400 not websocket protocol");
  expect(await ask(upgrade)).toBe("400 mismatch challenge/response");
  expect(await ask({ ...upgrade, "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "8" })).toBe(
    "400 missing or bad WebSocket Version",
  );
});
