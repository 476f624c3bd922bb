/** Turns blocks of log records into the bytes of Docker's log stream. */
import { frameHeaderSize, STDERR, STDOUT, writeFrameHeader } from "#lib/http/stdcopy.ts";
import {
  isPartial,
  isStderr,
  type Moment,
  momentOf,
  recordEnd,
  StampReader,
  TEXT_OFFSET,
  WRITTEN_STAMP,
} from "./record.ts";

export interface FormatOptions {
  stdout: boolean;
  stderr: boolean;
  /** A tty container's log is sent raw, any other in 8-byte stdcopy frames. */
  tty: boolean;
  timestamps?: boolean;
  /** Nanoseconds since the epoch, inclusive. */
  since?: bigint;
  until?: bigint;
  /** Put in front of each line (`details=1`: `key=value,…`). */
  details?: string;
}

const FRAME = frameHeaderSize;
/** Bytes. */
const SHORT = 128;

export class LogFormatter {
  readonly #options: FormatOptions;
  readonly #details: Buffer;
  readonly #stamps = new StampReader();
  readonly #since: Moment | undefined;
  readonly #until: Moment | undefined;
  /** By stream: the next record goes on with a line whose beginning was sent. */
  readonly #inLine: [boolean, boolean] = [false, false];
  #finished = false;

  constructor(options: FormatOptions) {
    this.#options = options;
    this.#since = options.since === undefined ? undefined : momentOf(options.since);
    this.#until = options.until === undefined ? undefined : momentOf(options.until);
    this.#details = Buffer.from(options.details === undefined ? "" : `${options.details} `);
  }

  /** A record after `until` was met: nothing more is wanted. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Formats the whole records in `block`; `used` is how many bytes they took. */
  format(block: Buffer): { output: Buffer<ArrayBuffer>; used: number } {
    const { tty, timestamps = false, stdout, stderr } = this.#options;
    const [since, until] = [this.#since, this.#until];
    const perRecord = FRAME + WRITTEN_STAMP + this.#details.length - TEXT_OFFSET;
    // A record's own header is longer than all we put before its text, unless there are details.
    let output = Buffer.allocUnsafeSlow(block.length + Math.max(0, perRecord));
    let [at, start] = [0, 0];
    for (;;) {
      const end = recordEnd(block, start);
      if (end < 0 || this.#finished) break;
      const next = end + 1;
      const error = isStderr(block, start);
      if (end - start < TEXT_OFFSET || !(error ? stderr : stdout)) {
        start = next;
        continue;
      }
      if (until !== undefined && this.#stamps.compare(block, start, until) > 0) {
        this.#finished = true;
        break;
      }
      if (since !== undefined && this.#stamps.compare(block, start, since) < 0) {
        start = next;
        continue;
      }
      const textEnd = isPartial(block, start) ? end : next;
      const prefixed = !this.#inLine[error ? 1 : 0];
      this.#inLine[error ? 1 : 0] = textEnd === end;
      const room = FRAME + WRITTEN_STAMP + this.#details.length + (textEnd - start);
      if (at + room > output.length) {
        output = Buffer.concat([output.subarray(0, at), Buffer.allocUnsafeSlow(block.length + room)]);
      }
      const frame = at;
      if (!tty) at += FRAME;
      if (prefixed && timestamps) {
        this.#stamps.write(block, start, output, at);
        at += WRITTEN_STAMP;
      }
      if (prefixed && this.#details.length > 0) at += this.#details.copy(output, at);
      at += copy(block, start + TEXT_OFFSET, textEnd, output, at);
      if (!tty) writeFrameHeader(output, frame, error ? STDERR : STDOUT, at - frame - FRAME);
      start = next;
    }
    return { output: output.subarray(0, at), used: start };
  }
}

/** A short copy is quicker in a loop than in a call. */
function copy(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
  if (end - start > SHORT) return from.copy(to, at, start, end);
  for (let i = start; i < end; i++) to[at + i - start] = from[i] ?? 0;
  return end - start;
}
