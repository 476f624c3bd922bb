/** WebSocket frames (RFC 6455, section 5) as a server reads and writes them. */
import { EngineError } from "../errors.ts";

export const CONTINUATION = 0;
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** Status codes of a close frame. */
export const NORMAL = 1000;
export const PROTOCOL_ERROR = 1002;

const CONTROL = 8;
const FINAL = 0x80;
const RESERVED = 0x70;
const MASKED = 0x80;
const LONGEST_CONTROL = 125;
const LONGEST_HEAD = 14;

/** A whole frame, final and unmasked. */
export function frame(opcode: number, payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const framed = new Uint8Array(head + length);
  const view = new DataView(framed.buffer);
  framed[0] = FINAL | opcode;
  framed[1] = head === 2 ? length : head === 4 ? 126 : 127;
  if (head === 4) view.setUint16(2, length);
  if (head === 10) view.setBigUint64(2, BigInt(length));
  framed.set(payload, head);
  return framed;
}

export function closeFrame(status: number): Uint8Array {
  return frame(CLOSE, Uint8Array.of(status >> 8, status & 0xff));
}

export interface FrameSink {
  /** A piece of a text or binary message, in order; where messages end does not matter to a stream of bytes. */
  data(piece: Uint8Array): void;
  /** CLOSE, PING or PONG with its payload. Nothing is read after CLOSE. */
  control(opcode: number, payload: Uint8Array): void;
}

interface Frame {
  opcode: number;
  mask: Uint8Array;
  /** Bytes of the payload that were read, and that are still to come. */
  read: number;
  left: number;
}

/** Takes a client's frames apart, however they are cut up; of a long one it holds no more than what came with one chunk. */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #head = new Uint8Array(LONGEST_HEAD);
  #headLength = 0;
  #frame: Frame | undefined;
  #control: Uint8Array[] = [];
  /** A message is under way: only continuations may follow. */
  #inMessage = false;
  #closed = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Throws "invalid" for what is no client's frame; the connection is to be closed with PROTOCOL_ERROR then. */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (!this.#closed) {
      if (this.#frame === undefined) {
        if (at === chunk.length) return;
        this.#head[this.#headLength++] = chunk[at++] as number;
        this.#frame = this.#parseHead();
        if (this.#frame === undefined) continue;
      }
      const piece = chunk.subarray(at, at + this.#frame.left);
      at += piece.length;
      this.#take(this.#frame, piece);
      if (this.#frame.left > 0) return;
      this.#end(this.#frame);
    }
  }

  /** Undefined until the head is whole. */
  #parseHead(): Frame | undefined {
    if (this.#headLength < 2) return undefined;
    const [first = 0, second = 0] = this.#head;
    const opcode = first & 0x0f;
    const final = (first & FINAL) !== 0;
    const short = second & 0x7f;
    refuse((first & RESERVED) !== 0, "reserved bits are set");
    refuse((second & MASKED) === 0, "it is not masked");
    if (opcode >= CONTROL) {
      refuse(opcode > PONG, `its opcode ${opcode} is unknown`);
      refuse(!final || short > LONGEST_CONTROL, "a control frame is fragmented or too long");
    } else {
      refuse(opcode > BINARY, `its opcode ${opcode} is unknown`);
      refuse((opcode === CONTINUATION) !== this.#inMessage, "a continuation is missing or continues nothing");
    }
    const lengthEnd = short === 126 ? 4 : short === 127 ? 10 : 2;
    if (this.#headLength < lengthEnd + 4) return undefined;
    const view = new DataView(this.#head.buffer);
    const left = short === 126 ? view.getUint16(2) : short === 127 ? Number(view.getBigUint64(2)) : short;
    refuse(!Number.isSafeInteger(left), "it is too long");
    if (opcode < CONTROL) this.#inMessage = !final;
    this.#headLength = 0;
    return { opcode, mask: this.#head.slice(lengthEnd, lengthEnd + 4), read: 0, left };
  }

  #take(frame: Frame, piece: Uint8Array): void {
    if (piece.length === 0) return;
    const plain = new Uint8Array(piece.length);
    for (let i = 0; i < piece.length; i++) {
      plain[i] = (piece[i] as number) ^ (frame.mask[(frame.read + i) & 3] as number);
    }
    frame.read += piece.length;
    frame.left -= piece.length;
    if (frame.opcode < CONTROL) this.#sink.data(plain);
    else this.#control.push(plain);
  }

  #end({ opcode }: Frame): void {
    this.#frame = undefined;
    if (opcode < CONTROL) return;
    const payload = Buffer.concat(this.#control);
    this.#control = [];
    this.#closed = opcode === CLOSE;
    this.#sink.control(opcode, payload);
  }
}

function refuse(condition: boolean, why: string): void {
  if (condition) throw new EngineError("invalid", `malformed WebSocket frame: ${why}`);
}
