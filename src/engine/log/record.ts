/** One record of conmon's k8s-file log: `2026-11-24T04:00:00.123456789+01:00 stdout F text\n`, by fixed offsets. */

const NEWLINE = 10;
/** Length of the time stamp: conmon writes nine digits of fraction and a numeric offset. */
const STAMP = 35;
/** Where the text begins: stamp, stream, flag and a space after each. */
export const TEXT_OFFSET = STAMP + 10;
const STREAM_LETTER = STAMP + 4;
const FLAG = STAMP + 8;
const LETTER_E = 101;
const LETTER_P = 80;

export function isStderr(block: Uint8Array, start: number): boolean {
  return block[start + STREAM_LETTER] === LETTER_E;
}

/** The text is not the end of its line: no newline belongs to it. */
export function isPartial(block: Uint8Array, start: number): boolean {
  return block[start + FLAG] === LETTER_P;
}

/** End of the record that begins at `start`, its newline excluded; -1 where the block ends before it. */
export function recordEnd(block: Uint8Array, start: number): number {
  return block.indexOf(NEWLINE, start);
}

/** Reads stamps; remembers the second of the last one, since neighbours share it. */
export class StampReader {
  #prefix = "";
  #seconds = 0;

  /** Nanoseconds since the epoch. */
  time(block: Buffer, start: number): bigint {
    const [seconds, fraction] = this.#parts(block, start);
    return BigInt(seconds) * 1_000_000_000n + BigInt(fraction);
  }

  /** In UTC, `2026-11-24T03:00:00.123456789Z`, as Docker prints it. */
  utc(block: Buffer, start: number): string {
    const [seconds, fraction] = this.#parts(block, start);
    return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${fraction}Z`;
  }

  #parts(block: Buffer, start: number): [seconds: number, fraction: string] {
    const second = block.toString("latin1", start, start + 19);
    const zone = block.toString("latin1", start + 29, start + STAMP);
    const prefix = second + zone;
    if (prefix !== this.#prefix) {
      this.#prefix = prefix;
      this.#seconds = Date.parse(prefix) / 1000;
    }
    return [this.#seconds, block.toString("latin1", start + 20, start + 29)];
  }
}
