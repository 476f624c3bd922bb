/** Speaks WebSocket (RFC 6455) on a connection that was taken out of HTTP's hands. */
import { EngineError } from "../errors.ts";
import type { HttpRequest, HttpResponse } from "./exchange.ts";
import type { HijackedConnection } from "./hijack.ts";
import { CLOSE, closeFrame, frame, FrameReader, NORMAL, PING, PONG, PROTOCOL_ERROR } from "./websocket-frames.ts";

/** Section 1.3: what the client's key is hashed with. */
const ACCEPT_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** How long the client may take to answer our close, in milliseconds. */
const CLOSE_TIMEOUT = 2000;

/**
 * Puts the answer to the client's handshake into the headers of `response`, which is then to be hijacked without a
 * content type. Throws "invalid" where the client asked for no WebSocket of version 13.
 */
export function acceptWebSocket({ headers }: HttpRequest, response: HttpResponse): void {
  const key = headers.get("sec-websocket-key") ?? "";
  const connection = (headers.get("connection") ?? "").toLowerCase();
  if (headers.get("upgrade")?.toLowerCase() !== "websocket" || !connection.includes("upgrade")) {
    throw new EngineError("invalid", "not websocket protocol");
  }
  if (key === "") throw new EngineError("invalid", "mismatch challenge/response");
  if (headers.get("sec-websocket-version") !== "13") {
    response.setHeader("Sec-WebSocket-Version", "13");
    throw new EngineError("invalid", "missing or bad WebSocket Version");
  }
  const digest = new Bun.CryptoHasher("sha1").update(key + ACCEPT_GUID).digest("base64");
  response.setHeader("Sec-WebSocket-Accept", digest);
  const protocol = headers.get("sec-websocket-protocol")?.trim() ?? "";
  if (protocol !== "" && !protocol.includes(",")) response.setHeader("Sec-WebSocket-Protocol", protocol);
}

/**
 * The bytes within the frames. `opcode` (TEXT or BINARY) is that of the frames to the client. Pings are answered, and
 * both sides close properly: `destroy` too gives the client the time for that.
 */
export class WebSocketConnection implements HijackedConnection {
  readonly closed: Promise<void>;
  readonly readable: AsyncIterable<Uint8Array>;
  readonly #connection: HijackedConnection;
  readonly #opcode: number;
  #ended = false;
  /** A client that pings and does not read what comes back is not listened to any further. */
  #answered: boolean | Promise<void> = true;

  constructor(connection: HijackedConnection, opcode: number) {
    this.#connection = connection;
    this.#opcode = opcode;
    this.closed = connection.closed;
    this.readable = this.#read();
  }

  write(chunk: Uint8Array): boolean | Promise<void> {
    if (this.#ended) return false;
    return chunk.length === 0 ? true : this.#connection.write(frame(this.#opcode, chunk));
  }

  end(): void {
    this.#close(NORMAL);
  }

  destroy(): void {
    this.#close(NORMAL);
  }

  /** Without a status where the client gave none. */
  #close(status: number | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    void this.#connection.write(status === undefined ? frame(CLOSE, new Uint8Array()) : closeFrame(status));
    this.#connection.end();
    const timer = setTimeout(() => this.#connection.destroy(), CLOSE_TIMEOUT);
    timer.unref();
    void this.closed.then(() => clearTimeout(timer));
  }

  async *#read(): AsyncGenerator<Uint8Array> {
    let pieces: Uint8Array[] = [];
    let close: Uint8Array | undefined;
    const reader = new FrameReader({
      data: (piece) => pieces.push(piece),
      control: (opcode, payload) => {
        if (opcode === PING && !this.#ended) this.#answered = this.#connection.write(frame(PONG, payload));
        if (opcode === CLOSE) close = payload;
      },
    });
    for await (const chunk of this.#connection.readable) {
      try {
        reader.push(chunk);
      } catch {
        return this.#close(PROTOCOL_ERROR);
      }
      yield* pieces;
      pieces = [];
      if (close !== undefined) return this.#close(closeAnswer(close));
      if (this.#answered instanceof Promise) await this.#answered;
    }
    this.#close(NORMAL);
  }
}

/** The client's own status (section 5.5.1), unless it is none that may be sent (section 7.4). */
function closeAnswer(payload: Uint8Array): number | undefined {
  if (payload.length === 0) return undefined;
  const status = payload.length === 1 ? 0 : ((payload[0] as number) << 8) | (payload[1] as number);
  const isDefined = status >= 1000 && status <= 1014 && ![1004, 1005, 1006].includes(status);
  return isDefined || (status >= 3000 && status <= 4999) ? status : PROTOCOL_ERROR;
}
