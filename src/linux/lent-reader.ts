/** The helper's side of a lent socket: reads the content of a request's body from the client, past the daemon. */
import { EngineError } from "#lib/errors.ts";
import { BodyDecoder, type BodyPosition } from "#lib/http/decoder.ts";
import type { TreeCalls } from "./helper-calls.ts";
import { syscall } from "./libc.ts";
import { socketFd } from "./socket-sink.ts";
import { EAGAIN, ECONNRESET } from "./syscall-error.ts";

/** A file with the content that was read of the socket before. */
const aheadFd = 0;
const POLLIN = 1;
const blockSize = 256 * 1024;

export class LentReader {
  readonly #calls: TreeCalls;
  readonly #decoder: BodyDecoder;
  readonly #block = Buffer.alloc(blockSize);
  #ahead = true;
  #rest: Uint8Array = new Uint8Array();

  constructor(calls: TreeCalls, position: BodyPosition) {
    this.#calls = calls;
    this.#decoder = new BodyDecoder(position);
  }

  /** What was read beyond the end of the body. */
  get rest(): Uint8Array {
    return this.#rest;
  }

  /** The next content, valid until the next call; undefined at the end. Throws "invalid" where the client left before. */
  read(): Uint8Array | undefined {
    if (this.#ahead) {
      const size = this.#must(this.#calls.read(aheadFd, this.#block));
      if (size > 0) return this.#block.subarray(0, size);
      this.#ahead = false;
    }
    while (!this.#decoder.done) {
      const bytes = this.#block.subarray(0, this.#receive());
      const { start, end, used } = this.#decoder.decode(bytes);
      this.#rest = bytes.subarray(used);
      if (end > start) return bytes.subarray(start, end);
    }
    return undefined;
  }

  #receive(): number {
    for (;;) {
      const size = this.#calls.read(socketFd, this.#block);
      if (size === -EAGAIN) {
        syscall("ppoll", Int32Array.of(socketFd, POLLIN), 1, null, null);
        continue;
      }
      if (size === 0 || size === -ECONNRESET) throw new EngineError("invalid", "unexpected EOF");
      return this.#must(size);
    }
  }

  #must(size: number): number {
    if (size < 0) throw this.#calls.fail("read", "request body", size);
    return size;
  }
}
