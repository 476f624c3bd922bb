/** Docker's framing of stdout and stderr in one stream: `{stream, 0, 0, 0, length (4 bytes, big endian)}` before each piece. */
import { EngineError } from "../errors.ts";

export const STDIN = 0;
export const STDOUT = 1;
export const STDERR = 2;
export type StandardStream = typeof STDIN | typeof STDOUT | typeof STDERR;
export const frameHeaderSize = 8;

/** Writes the header of a frame with `length` bytes at `offset`. */
export function writeFrameHeader(target: Uint8Array, offset: number, stream: StandardStream, length: number): void {
  target[offset] = stream;
  target[offset + 1] = target[offset + 2] = target[offset + 3] = 0;
  target[offset + 4] = length >>> 24;
  target[offset + 5] = length >>> 16;
  target[offset + 6] = length >>> 8;
  target[offset + 7] = length;
}

/** `payload` with its header in front. */
export function frame(stream: StandardStream, payload: Uint8Array): Uint8Array {
  const framed = new Uint8Array(frameHeaderSize + payload.length);
  writeFrameHeader(framed, 0, stream, payload.length);
  framed.set(payload, frameHeaderSize);
  return framed;
}

/** Takes frames apart, however they are cut up. */
export class FrameDecoder {
  readonly #header = new Uint8Array(frameHeaderSize);
  #have = 0;
  #left = 0;

  /** Calls `sink` for each piece of payload in `chunk` (views of it). Throws "invalid" for an unknown stream. */
  push(chunk: Uint8Array, sink: (stream: StandardStream, payload: Uint8Array) => void): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left === 0) {
        const taken = chunk.subarray(at, at + frameHeaderSize - this.#have);
        this.#header.set(taken, this.#have);
        this.#have += taken.length;
        at += taken.length;
        if (this.#have < frameHeaderSize) return;
        this.#have = 0;
        const [stream = 255, , , , a = 0, b = 0, c = 0, d = 0] = this.#header;
        if (stream > STDERR) throw new EngineError("invalid", `Unrecognized input header: ${stream}`);
        this.#left = a * 0x1000000 + (b << 16) + (c << 8) + d;
        continue;
      }
      const payload = chunk.subarray(at, at + this.#left);
      at += payload.length;
      this.#left -= payload.length;
      sink(this.#header[0] as StandardStream, payload);
    }
  }
}
