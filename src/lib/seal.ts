/** Ends a byte stream with its own digest, so that whoever has all of it can tell that nothing is missing or changed. */
import { EngineError } from "./errors.ts";

/** A skippable frame of Zstandard (RFC 8878, section 3.1.2), which every decompressor passes over. */
const MAGIC = 0x184d2a5b;
const HEADER = 8;
const SEAL_MARK = "berth-seal ";
const CUT_MARK = "berth-cut ";
const SIZE_DIGITS = 16;
/** `berth-seal sha256:<64 hex digits> <bytes before it>\n`. */
const SEAL_TEXT = SEAL_MARK.length + "sha256:".length + 64 + 1 + SIZE_DIGITS + 1;
/** Bytes of a seal. */
export const SEAL_SIZE = HEADER + SEAL_TEXT;
const LONGEST_REASON = 6 * 1024;
/** Bytes of a cut at most: a character may take four. */
const LONGEST_CUT = HEADER + CUT_MARK.length + 4 * LONGEST_REASON + 1;

/** What was written so far; ends with one `seal`, or with one `cut`. */
export class Sealer {
  readonly #hash = new Bun.CryptoHasher("sha256");
  #bytes = 0;

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
  }

  /** To be written last. */
  seal(): Uint8Array {
    return frame(`${SEAL_MARK}sha256:${this.#hash.digest("hex")} ${String(this.#bytes).padStart(SIZE_DIGITS)}\n`);
  }

  /** To be written last where the rest will never come; readers refuse the stream and tell the reason. */
  cut(reason: string): Uint8Array {
    return frame(`${CUT_MARK}${reason.slice(0, LONGEST_REASON)}\n`);
  }
}

/** Takes a sealed stream apart. */
export class SealReader {
  readonly #sealer = new Sealer();
  /** What may be the seal. */
  #tail: Uint8Array = new Uint8Array(0);
  /** What may be the reason of a cut. */
  #last: Uint8Array = new Uint8Array(0);

  /** The next bytes of the stream; answers those that are known to lie before the seal. */
  push(bytes: Uint8Array): Uint8Array {
    const all = this.#tail.length === 0 ? bytes : Buffer.concat([this.#tail, bytes]);
    const inner = all.subarray(0, Math.max(0, all.length - SEAL_SIZE));
    this.#tail = Uint8Array.from(all.subarray(inner.length));
    this.#last = Buffer.concat([this.#last, bytes.subarray(-LONGEST_CUT)]).subarray(-LONGEST_CUT);
    this.#sealer.update(inner);
    return inner;
  }

  /** At the end of the stream. Throws "invalid" unless it ended with its seal; `what` names it ("the backup"). */
  end(what: string): void {
    const seal = this.#sealer.seal();
    if (Buffer.compare(this.#tail, seal) === 0) return;
    const reason = cutReason(this.#last);
    if (reason !== undefined) throw new EngineError("invalid", `${what} was never finished: ${reason}`);
    const isSeal = Buffer.from(this.#tail).indexOf(SEAL_MARK, 0, "latin1") === HEADER;
    throw new EngineError(
      "invalid",
      isSeal
        ? `${what} is damaged: its digest is not that of its content`
        : `${what} is cut off, or none at all: its end is missing`,
    );
  }
}

/** Why the stream whose last bytes these are was given up; undefined where it was not. */
export function cutReason(last: Uint8Array): string | undefined {
  const bytes = Buffer.from(last);
  const at = bytes.lastIndexOf(CUT_MARK);
  if (at < HEADER || bytes.readUInt32LE(at - HEADER) !== MAGIC || bytes.at(-1) !== 10) return undefined;
  if (bytes.readUInt32LE(at - 4) !== bytes.length - at) return undefined;
  return bytes.toString("utf8", at + CUT_MARK.length, bytes.length - 1);
}

function frame(text: string): Uint8Array {
  const payload = Buffer.from(text);
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt32LE(payload.length, 4);
  return Buffer.concat([header, payload]);
}
