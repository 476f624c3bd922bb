/** Turns blocks of log records into the bytes of Docker's log stream. */
import { isPartial, isStderr, recordEnd, StampReader, TEXT_OFFSET } from "./record.ts";

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

const FRAME = 8;
const STAMP_LENGTH = 31;

export class LogFormatter {
  readonly #options: FormatOptions;
  readonly #details: Buffer;
  readonly #stamps = new StampReader();
  /** By stream: the next record goes on with a line whose beginning was sent. */
  readonly #inLine: [boolean, boolean] = [false, false];
  #finished = false;

  constructor(options: FormatOptions) {
    this.#options = options;
    this.#details = Buffer.from(options.details === undefined ? "" : `${options.details} `);
  }

  /** A record after `until` was met: nothing more is wanted. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Formats the whole records in `block`; `used` is how many bytes they took. */
  format(block: Buffer): { output: Buffer<ArrayBuffer>; used: number } {
    const { tty, timestamps = false, since, until, stdout, stderr } = this.#options;
    const timed = since !== undefined || until !== undefined;
    const perRecord = FRAME + STAMP_LENGTH + this.#details.length - TEXT_OFFSET;
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
      if (timed) {
        const time = this.#stamps.time(block, start);
        if (until !== undefined && time > until) {
          this.#finished = true;
          break;
        }
        if (since !== undefined && time < since) {
          start = next;
          continue;
        }
      }
      const textEnd = isPartial(block, start) ? end : next;
      const prefixed = !this.#inLine[error ? 1 : 0];
      this.#inLine[error ? 1 : 0] = textEnd === end;
      const room = FRAME + STAMP_LENGTH + this.#details.length + (textEnd - start);
      if (at + room > output.length) {
        output = Buffer.concat([output.subarray(0, at), Buffer.allocUnsafeSlow(block.length + room)]);
      }
      const frame = at;
      if (!tty) at += FRAME;
      if (prefixed && timestamps) at += output.write(`${this.#stamps.utc(block, start)} `, at, "latin1");
      if (prefixed) at += this.#details.copy(output, at);
      at += block.copy(output, at, start + TEXT_OFFSET, textEnd);
      if (!tty) {
        output.writeUInt32BE(error ? 0x02000000 : 0x01000000, frame);
        output.writeUInt32BE(at - frame - FRAME, frame + 4);
      }
      start = next;
    }
    return { output: output.subarray(0, at), used: start };
  }
}
