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

/** A moment, in two numbers that are exact and quick to compare. */
export interface Moment {
  seconds: number;
  nanoseconds: number;
}

export function momentOf(nanoseconds: bigint): Moment {
  return { seconds: Number(nanoseconds / 1_000_000_000n), nanoseconds: Number(nanoseconds % 1_000_000_000n) };
}

/** Length of what `StampReader.write` writes. */
export const WRITTEN_STAMP = 31;

const FRACTION = 20;
const ZONE = 29;
const DIGIT_0 = 48;
const SPACE = 32;
const LETTER_Z = 90;

/**
 * Reads stamps; remembers the second of the last one, since neighbours share it.
 * Byte by byte: a call of a Buffer method for each record would take most of the time that reading a log takes.
 */
export class StampReader {
  /** The remembered record's stamp. */
  readonly #stamp = new Uint8Array(STAMP);
  /** Its second as Docker prints it: `2026-11-24T03:00:00.` */
  #utc: Uint8Array = new Uint8Array(FRACTION);
  #seconds = 0;

  /** Negative where the record is older than `moment`, positive where it is younger. */
  compare(block: Buffer, start: number, moment: Moment): number {
    if (!this.#known(block, start)) this.#remember(block, start);
    if (this.#seconds !== moment.seconds) return this.#seconds - moment.seconds;
    let nanoseconds = 0;
    for (let at = start + FRACTION; at < start + ZONE; at++) {
      nanoseconds = nanoseconds * 10 + (block[at] ?? 0) - DIGIT_0;
    }
    return nanoseconds - moment.nanoseconds;
  }

  /** Writes the stamp in UTC, `2026-11-24T03:00:00.123456789Z `, as Docker prints it, with the space after it. */
  write(block: Buffer, start: number, output: Buffer, at: number): void {
    if (!this.#known(block, start)) this.#remember(block, start);
    const utc = this.#utc;
    for (let i = 0; i < FRACTION; i++) output[at + i] = utc[i] ?? 0;
    for (let i = FRACTION; i < ZONE; i++) output[at + i] = block[start + i] ?? 0;
    output[at + ZONE] = LETTER_Z;
    output[at + ZONE + 1] = SPACE;
  }

  /** Same second, same zone; the digits that change soonest first. */
  #known(block: Buffer, start: number): boolean {
    const stamp = this.#stamp;
    for (let i = FRACTION - 1; i >= 0; i--) if (block[start + i] !== stamp[i]) return false;
    for (let i = ZONE; i < STAMP; i++) if (block[start + i] !== stamp[i]) return false;
    return true;
  }

  #remember(block: Buffer, start: number): void {
    this.#stamp.set(block.subarray(start, start + STAMP));
    const second = block.toString("latin1", start, start + FRACTION - 1);
    const milliseconds = Date.parse(second + block.toString("latin1", start + ZONE, start + STAMP));
    this.#seconds = milliseconds / 1000;
    // What is no time (a damaged log) is printed as it stands.
    const utc = Number.isNaN(milliseconds) ? second : new Date(milliseconds).toISOString().slice(0, FRACTION - 1);
    this.#utc = Buffer.from(`${utc}.`, "latin1");
  }
}
