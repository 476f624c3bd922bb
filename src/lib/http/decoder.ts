/** Parts the content of a message body from its framing, for whoever reads the socket (RFC 9112, sections 6 and 7). */
import { EngineError } from "../errors.ts";
import type { Framing } from "./head.ts";

/** Chunk sizes with their extensions, and trailers. Bytes in a line. */
const maxLine = 4096;
/** Of all trailers together. Bytes. */
const maxTrailer = 64 * 1024;

/** Where in a body one is, as JSON can tell it to another process. */
export interface BodyPosition {
  readonly chunked: boolean;
  /** What must come next; "break" is the line end after the content of a chunk. */
  readonly expected: "content" | "break" | "size" | "trailer" | "nothing";
  /** Content still to come: of the body, or of this chunk; within trailers, what these may have yet. Bytes. */
  readonly remaining: number;
  /** What has come of an unfinished line, latin1. */
  readonly line: string;
}

export function startOf(framing: Framing): BodyPosition {
  if (framing.kind === "none") return { chunked: false, expected: "nothing", remaining: 0, line: "" };
  if (framing.kind === "chunked") return { chunked: true, expected: "size", remaining: 0, line: "" };
  return { chunked: false, expected: "content", remaining: framing.length, line: "" };
}

/** One body, in pieces as they come. */
export class BodyDecoder {
  readonly #chunked: boolean;
  #expected: BodyPosition["expected"];
  #remaining: number;
  #line: string;

  constructor(position: BodyPosition) {
    this.#chunked = position.chunked;
    this.#expected = position.expected;
    this.#remaining = position.remaining;
    this.#line = position.line;
  }

  get position(): BodyPosition {
    return { chunked: this.#chunked, expected: this.#expected, remaining: this.#remaining, line: this.#line };
  }

  /** The body is complete. */
  get done(): boolean {
    return this.#expected === "nothing";
  }

  /** Content still to come; Infinity where nobody knows. */
  get remaining(): number {
    return this.#chunked && !this.done ? Number.POSITIVE_INFINITY : this.#remaining;
  }

  /**
   * Moves the content in `bytes` together: afterwards it lies from `start` to `end`. What follows the first `used` bytes
   * belongs to the next message; there is none unless `done`. Throws "invalid".
   */
  decode(bytes: Uint8Array): { start: number; end: number; used: number } {
    let [at, start, end] = [0, 0, 0];
    while (at < bytes.length && !this.done) {
      if (this.#expected !== "content") {
        at = this.#readLine(bytes, at);
        continue;
      }
      const size = Math.min(this.#remaining, bytes.length - at);
      if (start === end) start = end = at;
      else bytes.copyWithin(end, at, at + size);
      at += size;
      end += size;
      this.#remaining -= size;
      if (this.#remaining === 0) this.#expected = this.#chunked ? "break" : "nothing";
    }
    return { start, end, used: at };
  }

  /** Takes a line, or as much of it as there is, and answers where it ends. */
  #readLine(bytes: Uint8Array, at: number): number {
    const feed = bytes.indexOf(0x0a, at);
    const end = feed < 0 ? bytes.length : feed + 1;
    if (this.#line.length + end - at > maxLine) throw malformed();
    this.#line += Buffer.from(bytes.buffer, bytes.byteOffset + at, end - at).toString("latin1");
    if (feed < 0) return end;
    if (!this.#line.endsWith("\r\n")) throw malformed();
    const line = this.#line.slice(0, -2);
    this.#line = "";
    this.#take(line);
    return end;
  }

  #take(line: string): void {
    if (this.#expected === "trailer") {
      this.#remaining -= line.length + 2;
      if (this.#remaining < 0) throw malformed();
      if (line === "") [this.#expected, this.#remaining] = ["nothing", 0];
    } else if (this.#expected === "break") {
      if (line !== "") throw malformed();
      this.#expected = "size";
    } else {
      const match = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(line);
      if (match === null) throw malformed();
      this.#remaining = Number.parseInt(match[1] as string, 16);
      this.#expected = "content";
      if (this.#remaining === 0) [this.#expected, this.#remaining] = ["trailer", maxTrailer];
    }
  }
}

function malformed(): EngineError {
  return new EngineError("invalid", "malformed chunked encoding");
}
