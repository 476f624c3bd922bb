/** Reads the outer tar of image archives as a stream, so that `load` never touches the disk for it. */
import { EngineError } from "#lib/errors.ts";
import { ByteQueue } from "./byte-queue.ts";

const blockSize = 512;
/** Long names and PAX records beyond this are an attack. */
const maxMetadata = 1024 * 1024;

export interface TarEntry {
  /** UTF-8, as written (may start with "./" or end in "/"). */
  readonly name: string;
  readonly type: "file" | "directory" | "symlink" | "hardlink" | "other";
  /** Bytes of content. */
  readonly size: number;
  /** Target of a symlink or hardlink, "" otherwise. */
  readonly linkName: string;
  /** Permission bits. */
  readonly mode: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
  /** The content, once; what is not read is skipped when the next entry is asked for. */
  content(): AsyncIterable<Uint8Array>;
  /** All of the content. Rejects "invalid" above `limit` bytes (default 4 MiB). */
  bytes(limit?: number): Promise<Uint8Array>;
}

const types: Readonly<Record<string, TarEntry["type"]>> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  "5": "directory",
  "2": "symlink",
  "1": "hardlink",
};

/**
 * The entries of a POSIX ustar, PAX (path, linkpath, size, mtime) or GNU (long names, binary sizes) archive.
 * Rejects "invalid" for what is not such a tar or is cut off. The source is closed when the reader stops.
 */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry, void> {
  await using queue = new ByteQueue(source);
  let overrides = new Map<string, string>();
  for (;;) {
    const header = await queue.take(blockSize);
    if (header.length < blockSize) {
      if (header.length > 0) throw cutOff();
      return; // without an end mark, as some writers leave it
    }
    if (header.every((byte) => byte === 0)) {
      await queue.drain(); // so that who writes into a pipe can finish
      return;
    }
    const fields = parseHeader(header);
    if (fields.flag === "x" || fields.flag === "g" || fields.flag === "L" || fields.flag === "K") {
      const text = await metadata(queue, fields.size);
      // Global records could only set what image archives do not use.
      if (fields.flag === "x") overrides = new Map([...overrides, ...parsePax(text)]);
      if (fields.flag === "L") overrides.set("path", untilNul(text));
      if (fields.flag === "K") overrides.set("linkpath", untilNul(text));
      continue;
    }
    const type = types[fields.flag] ?? "other";
    const size = type === "file" || type === "other" ? Number(overrides.get("size") ?? fields.size) : 0;
    if (!Number.isSafeInteger(size) || size < 0) throw malformed("a size is not a number");
    const body = new Body(queue, size);
    yield {
      name: overrides.get("path") ?? fields.name,
      type,
      size,
      linkName: overrides.get("linkpath") ?? fields.linkName,
      mode: fields.mode,
      mtime: Math.floor(Number(overrides.get("mtime") ?? fields.mtime)),
      content: () => body.content(),
      bytes: (limit) => body.bytes(limit),
    };
    await body.skip();
    overrides = new Map();
  }
}

/** The content of the current entry. */
class Body {
  readonly #queue: ByteQueue;
  readonly #size: number;
  #left: number;

  constructor(queue: ByteQueue, size: number) {
    this.#queue = queue;
    this.#size = size;
    this.#left = size;
  }

  async *content(): AsyncGenerator<Uint8Array, void> {
    while (this.#left > 0) {
      const chunk = await this.#queue.some(this.#left);
      if (chunk === undefined) throw cutOff();
      this.#left -= chunk.length;
      yield chunk;
    }
  }

  async bytes(limit = 4 * 1024 * 1024): Promise<Uint8Array> {
    if (this.#size > limit) throw malformed(`an entry of ${this.#size} bytes is larger than ${limit}`);
    const all = await this.#queue.take(this.#left);
    if (all.length < this.#left) throw cutOff();
    this.#left = 0;
    return all;
  }

  /** Goes to the next header. */
  async skip(): Promise<void> {
    for await (const _ of this.content());
    const padding = (blockSize - (this.#size % blockSize)) % blockSize;
    if ((await this.#queue.take(padding)).length < padding) throw cutOff();
  }
}

interface Header {
  readonly name: string;
  readonly mode: number;
  readonly size: number;
  readonly mtime: number;
  readonly flag: string;
  readonly linkName: string;
}

/** POSIX.1-2017, pax, "ustar Interchange Format". */
function parseHeader(block: Uint8Array): Header {
  let sum = 8 * 0x20; // the checksum field counts as spaces
  for (const [at, byte] of block.entries()) if (at < 148 || at >= 156) sum += byte;
  if (sum !== number(block, 148, 8)) throw malformed("a header's checksum is wrong");
  const isPosix = text(block, 257, 6) === "ustar"; // GNU has "ustar " and keeps other things in the prefix
  const prefix = isPosix ? text(block, 345, 155) : "";
  const name = text(block, 0, 100);
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    mode: number(block, 100, 8) & 0o7777,
    size: number(block, 124, 12),
    mtime: number(block, 136, 12),
    flag: String.fromCharCode(block[156] ?? 0),
    linkName: text(block, 157, 100),
  };
}

function text(block: Uint8Array, start: number, length: number): string {
  return untilNul(new TextDecoder().decode(block.subarray(start, start + length)));
}

function untilNul(value: string): string {
  const end = value.indexOf("\0");
  return end < 0 ? value : value.slice(0, end);
}

/** Octal, or base 256 where the first bit is set (GNU). */
function number(block: Uint8Array, start: number, length: number): number {
  const field = block.subarray(start, start + length);
  if (((field[0] ?? 0) & 0x80) === 0) {
    const digits = untilNul(new TextDecoder().decode(field)).trim();
    if (!/^[0-7]*$/.test(digits)) throw malformed("a header's number is not octal");
    return digits === "" ? 0 : Number.parseInt(digits, 8);
  }
  let value = (field[0] ?? 0) & 0x7f;
  for (const byte of field.subarray(1)) value = value * 256 + byte;
  return value;
}

async function metadata(queue: ByteQueue, size: number): Promise<string> {
  if (size > maxMetadata) throw malformed(`a name of ${size} bytes`);
  const body = new Body(queue, size);
  const bytes = await body.bytes();
  await body.skip();
  return new TextDecoder().decode(bytes);
}

/** Records of the form "length key=value\n", the length in bytes and counting itself. */
function parsePax(records: string): Map<string, string> {
  const found = new Map<string, string>();
  const bytes = Buffer.from(records);
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString("latin1", at, space));
    if (space < 0 || !Number.isSafeInteger(length) || length <= 0 || at + length > bytes.length) {
      throw malformed("a PAX record's length is wrong");
    }
    const record = bytes.toString("utf8", space + 1, at + length - 1);
    const equals = record.indexOf("=");
    if (equals > 0) found.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return found;
}

function malformed(why: string): EngineError {
  return new EngineError("invalid", `invalid tar header: ${why}`);
}

function cutOff(): EngineError {
  return new EngineError("invalid", "unexpected EOF: the tar archive is cut off");
}
