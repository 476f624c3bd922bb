/** Writes the outer tar of image archives as a stream, so that `save` never touches the disk for it. */
import { EngineError } from "#lib/errors.ts";

const blockSize = 512;
/** What eleven octal digits hold. */
const maxOctalSize = 8 ** 11 - 1;

export interface TarInput {
  readonly name: string;
  readonly type?: "file" | "directory" | "symlink";
  /** Bytes of content; needed where `content` is a stream. */
  readonly size?: number;
  readonly linkName?: string;
  /** Default 0644, directories 0755. */
  readonly mode?: number;
  /** Seconds since the epoch; default 0. */
  readonly mtime?: number;
  /** Exactly `size` bytes. */
  readonly content?: AsyncIterable<Uint8Array> | Uint8Array;
}

/**
 * A tar of the inputs in their order, each asked for when the one before is written; owner root, PAX records only
 * where ustar does not do. Rejects "internal" where a stream is not as long as announced.
 */
export async function* writeTar(
  inputs: AsyncIterable<TarInput> | Iterable<TarInput>,
): AsyncGenerator<Uint8Array, void> {
  for await (const input of inputs) {
    const { content, name } = input;
    const size = content instanceof Uint8Array ? content.length : (input.size ?? 0);
    yield headers(input, size);
    let written = 0;
    if (content instanceof Uint8Array) {
      written = content.length;
      if (written > 0) yield content;
    } else if (content !== undefined) {
      for await (const chunk of content) {
        written += chunk.length;
        if (written > size) break;
        yield chunk;
      }
    }
    if (written !== size) throw new EngineError("internal", `cannot archive ${name}: it is not ${size} bytes long`);
    if (size % blockSize > 0) yield new Uint8Array(blockSize - (size % blockSize));
  }
  yield new Uint8Array(2 * blockSize);
}

const flags = { file: "0", directory: "5", symlink: "2" } as const;

function headers(input: TarInput, size: number): Uint8Array {
  const { type = "file", linkName = "", mtime = 0, mode = type === "directory" ? 0o755 : 0o644 } = input;
  const name = type === "directory" && !input.name.endsWith("/") ? `${input.name}/` : input.name;
  const records: [string, string][] = [];
  if (!fits(name)) records.push(["path", name]);
  if (!fits(linkName)) records.push(["linkpath", linkName]);
  if (size > maxOctalSize) records.push(["size", String(size)]);
  const main = header(name, linkName, flags[type], size, mode, mtime);
  if (records.length === 0) return main;
  const body = Buffer.concat(records.map(([key, value]) => paxRecord(key, value)));
  const padding = new Uint8Array((blockSize - (body.length % blockSize)) % blockSize);
  const extension = header(`PaxHeaders.0/${name.slice(0, 40)}`, "", "x", body.length, 0o644, mtime);
  return Buffer.concat([extension, body, padding, main]);
}

function fits(text: string): boolean {
  return text.length <= 100 && /^[\x20-\x7e]*$/.test(text);
}

/** POSIX.1-2017, pax, "ustar Interchange Format". */
function header(name: string, linkName: string, flag: string, size: number, mode: number, mtime: number): Buffer {
  const block = Buffer.alloc(blockSize);
  const octal = (value: number, at: number, digits: number) =>
    block.write(value.toString(8).padStart(digits, "0").slice(-digits), at, "latin1");
  block.write(name, 0, 100, "utf8");
  octal(mode, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(size > maxOctalSize ? 0 : size, 124, 11);
  octal(Math.max(0, mtime), 136, 11);
  block.write("        ", 148, "latin1");
  block.write(flag, 156, "latin1");
  block.write(linkName, 157, 100, "utf8");
  block.write("ustar\x0000", 257, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

/** "length key=value\n", where the length counts its own digits. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.from(` ${key}=${value}\n`);
  let length = rest.length;
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}
