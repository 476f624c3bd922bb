/** Takes one message body off a connection, by length or in chunks (RFC 9112, sections 6 and 7). */
import { EngineError } from "../errors.ts";
import type { SocketConnection } from "./connection.ts";
import { BodyDecoder, type BodyPosition, startOf } from "./decoder.ts";
import type { Framing } from "./head.ts";

/** Bytes up to and without `mark`; undefined at the end of input before anything came. Throws "invalid" beyond `limit`. */
export async function readUntil(
  connection: SocketConnection,
  mark: string,
  limit: number,
): Promise<Buffer | undefined> {
  let collected: Buffer = Buffer.alloc(0);
  for (;;) {
    const chunk = await connection.read();
    if (chunk === undefined) {
      if (collected.length === 0) return undefined;
      throw new EngineError("invalid", "unexpected EOF");
    }
    const from = Math.max(0, collected.length - mark.length + 1);
    collected = collected.length === 0 ? asBuffer(chunk) : Buffer.concat([collected, chunk]);
    const at = collected.indexOf(mark, from, "latin1");
    if (at >= 0 && at <= limit) {
      connection.unread(collected.subarray(at + mark.length));
      return collected.subarray(0, at);
    }
    if (collected.length > limit) throw new EngineError("invalid", "request header fields too large");
  }
}

/** The rest of a body on a socket that another process reads meanwhile. Ends with one of `end` and `abandon`. */
export interface LentBody {
  /** The socket, non-blocking; undefined where the connection is over by now. It is ours: to be duplicated at once. */
  readonly fd: number | undefined;
  /** Content that was read already. */
  readonly ahead: Uint8Array;
  /** Of the next byte in the socket. */
  readonly position: BodyPosition;
  /** All of it was read, and `rest` of what follows it. */
  end(rest: Uint8Array): void;
  /** Nobody knows how much was read: the connection can carry nothing but the answer. */
  abandon(): void;
}

/** The body of one message. What follows it stays on the connection. */
export class MessageBody implements AsyncIterable<Uint8Array> {
  readonly #connection: SocketConnection;
  readonly #framing: Framing;
  #decoder: BodyDecoder;
  /** Content that nobody has asked for yet. */
  readonly #ready: Uint8Array[] = [];
  #lost = false;
  /** Called before the first byte is waited for (`Expect: 100-continue`). */
  onFirstRead: (() => void) | undefined;

  constructor(connection: SocketConnection, framing: Framing) {
    this.#connection = connection;
    this.#framing = framing;
    this.#decoder = new BodyDecoder(startOf(framing));
  }

  /** All of it was read. */
  get done(): boolean {
    return this.#decoder.done && this.#ready.length === 0;
  }

  /** Its length was announced. */
  get sized(): boolean {
    return this.#framing.kind === "length";
  }

  /** Bytes in all; Infinity where nobody has said. */
  get length(): number {
    const framing = this.#framing;
    if (framing.kind === "length") return framing.length;
    return framing.kind === "none" ? 0 : Number.POSITIVE_INFINITY;
  }

  /** Bytes still to come; Infinity where nobody knows. */
  get remaining(): number {
    return this.#lost ? Number.POSITIVE_INFINITY : this.#decoder.remaining;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (let chunk = await this.read(); chunk !== undefined; chunk = await this.read()) yield chunk;
  }

  /** The next bytes; undefined at the end. Rejects with "invalid" where the sender stopped in the middle. */
  async read(): Promise<Uint8Array | undefined> {
    const ready = this.#ready.shift();
    if (ready !== undefined) return ready;
    if (!this.#decoder.done) this.#invite();
    while (!this.#decoder.done) {
      const chunk = this.#lost ? undefined : await this.#connection.read();
      if (chunk === undefined) throw new EngineError("invalid", "unexpected EOF");
      const content = this.#decode(chunk);
      if (content.length > 0) return content;
    }
    return undefined;
  }

  /** Puts back what the reader did not need. */
  unread(content: Uint8Array): void {
    if (content.length > 0) this.#ready.unshift(content);
  }

  /**
   * Lets another process read what is still to come. Nothing is read here until the loan ends; the answer may be
   * written meanwhile. Undefined where there is nothing to lend: the body has come as a whole, or comes through TLS.
   * Rejects with "invalid" where it is malformed.
   */
  async lend(): Promise<LentBody | undefined> {
    if (this.#decoder.done || this.#lost) return undefined;
    this.#invite();
    const connection = this.#connection;
    const raw = await connection.lend();
    if (raw === undefined) return undefined;
    using undo = new DisposableStack();
    undo.defer(() => connection.reclaim());
    const content = this.#decode(raw);
    if (content.length > 0) this.#ready.push(content);
    if (this.#decoder.done) return undefined;
    undo.move();
    this.#lost = true;
    return {
      get fd() {
        return connection.fd;
      },
      ahead: Buffer.concat(this.#ready.splice(0)),
      position: this.#decoder.position,
      end: (rest) => {
        this.#lost = false;
        this.#decoder = new BodyDecoder(startOf({ kind: "none" }));
        connection.unread(rest);
        connection.reclaim();
      },
      abandon: () => connection.reclaim(),
    };
  }

  /** All of it. Rejects with "invalid" beyond `limit` bytes. */
  async text(limit: number): Promise<string> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for (let chunk = await this.read(); chunk !== undefined; chunk = await this.read()) {
      size += chunk.length;
      if (size > limit) throw new EngineError("invalid", `request body is larger than ${limit} bytes`);
      chunks.push(chunk);
    }
    if (chunks.length === 0) return "";
    return chunks.length === 1 ? asBuffer(chunks[0] as Uint8Array).toString() : Buffer.concat(chunks).toString();
  }

  #decode(bytes: Uint8Array): Uint8Array {
    const { start, end, used } = this.#decoder.decode(bytes);
    this.#connection.unread(bytes.subarray(used));
    return bytes.subarray(start, end);
  }

  #invite(): void {
    this.onFirstRead?.();
    this.onFirstRead = undefined;
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
