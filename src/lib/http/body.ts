/** Takes one message body off a connection, by length or in chunks (RFC 9112, sections 6 and 7). */
import { EngineError } from "../errors.ts";
import type { SocketConnection } from "./connection.ts";
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

/** The body of one message. What follows it stays on the connection. */
export class MessageBody implements AsyncIterable<Uint8Array> {
  readonly #connection: SocketConnection;
  readonly #framing: Framing;
  #remaining: number;
  #done: boolean;
  /** Called before the first byte is waited for (`Expect: 100-continue`). */
  onFirstRead: (() => void) | undefined;

  constructor(connection: SocketConnection, framing: Framing) {
    this.#connection = connection;
    this.#framing = framing;
    this.#remaining = framing.kind === "length" ? framing.length : 0;
    this.#done = framing.kind === "none";
  }

  /** All of it was read. */
  get done(): boolean {
    return this.#done;
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
    return this.#done ? 0 : this.#framing.kind === "length" ? this.#remaining : Number.POSITIVE_INFINITY;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (let chunk = await this.read(); chunk !== undefined; chunk = await this.read()) yield chunk;
  }

  /** The next bytes; undefined at the end. Rejects with "invalid" where the sender stopped in the middle. */
  async read(): Promise<Uint8Array | undefined> {
    if (this.#done) return undefined;
    this.onFirstRead?.();
    this.onFirstRead = undefined;
    if (this.#framing.kind === "chunked" && this.#remaining === 0) {
      this.#remaining = await this.#chunkSize();
      if (this.#remaining === 0) {
        await this.#trailers();
        this.#done = true;
        return undefined;
      }
    }
    const chunk = await this.#connection.read();
    if (this.#framing.kind === "close") {
      if (chunk === undefined) this.#done = true;
      return chunk;
    }
    if (chunk === undefined) throw new EngineError("invalid", "unexpected EOF");
    const taken = chunk.subarray(0, this.#remaining);
    if (taken.length < chunk.length) this.#connection.unread(chunk.subarray(taken.length));
    this.#remaining -= taken.length;
    if (this.#remaining === 0) {
      if (this.#framing.kind === "length") this.#done = true;
      else await this.#line();
    }
    return taken;
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

  async #line(): Promise<string> {
    const line = await readUntil(this.#connection, "\r\n", 4096);
    if (line === undefined) throw new EngineError("invalid", "unexpected EOF");
    return line.toString("latin1");
  }

  async #chunkSize(): Promise<number> {
    const line = await this.#line();
    const match = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(line);
    if (match === null) throw new EngineError("invalid", "malformed chunked encoding");
    return Number.parseInt(match[1] as string, 16);
  }

  async #trailers(): Promise<void> {
    while ((await this.#line()) !== "");
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
