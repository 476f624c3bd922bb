/** A context as a tar archive (POSIX ustar), as Docker's command line exports and imports it. */
import { type ContextMetadata, parseMetadata, type TlsFiles } from "./store.ts";

const BLOCK = 512;
/** Of an archive; Docker's own bound. Bytes. */
export const largestArchive = 10 * 1024 * 1024;

export function packContext(metadata: ContextMetadata, tls: TlsFiles): Uint8Array {
  const blocks = [...entry("meta.json", JSON.stringify(metadata), 0o644)];
  const files = Object.entries(tls);
  if (files.length > 0) blocks.push(...entry("tls", undefined, 0o700), ...entry("tls/docker", undefined, 0o700));
  for (const [name, text] of files) blocks.push(...entry(`tls/docker/${name}`, text, 0o600));
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

/** Without `text`, a folder. */
function entry(name: string, text: string | undefined, mode: number): Uint8Array[] {
  const body = Buffer.from(text ?? "");
  const head = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, "0")}\0`;
  head.write(name, 0);
  head.write(octal(mode, 7), 100);
  head.write(octal(0, 7), 108);
  head.write(octal(0, 7), 116);
  head.write(octal(body.length, 11), 124);
  head.write(octal(0, 11), 136);
  head.write(" ".repeat(8), 148);
  head.write(text === undefined ? "5" : "0", 156);
  head.write("ustar\x0000", 257);
  head.write(
    octal(
      head.reduce((sum, byte) => sum + byte, 0),
      6,
    ),
    148,
  );
  return [head, body, Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK)];
}

/** Throws an Error for an archive that is broken or holds no context. */
export function unpackContext(archive: Uint8Array): { metadata: ContextMetadata; tls: TlsFiles } {
  let metadata: ContextMetadata | undefined;
  const tls: Record<string, string> = {};
  for (const { name, text } of entries(Buffer.from(archive))) {
    const file = /^tls\/docker\/([^/]+)$/.exec(name)?.[1];
    if (name === "meta.json") metadata = parseMetadata(text);
    else if (file !== undefined && file !== "." && file !== "..") tls[file] = text;
    else if (!/^tls(\/[^/]+)*\/?$/.test(name)) throw new Error(`unexpected file in the archive: ${name}`);
  }
  if (metadata === undefined) throw new Error("invalid context: no metadata found");
  return { metadata, tls };
}

function* entries(archive: Buffer): Generator<{ name: string; text: string }> {
  for (let at = 0; at + BLOCK <= archive.length;) {
    const head = archive.subarray(at, at + BLOCK);
    if (head.every((byte) => byte === 0)) return;
    const field = (from: number, to: number): string => head.toString("latin1", from, to).split("\0", 1)[0] ?? "";
    const sum = head.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 0x20 : byte), 0);
    const size = Number.parseInt(field(124, 136), 8) || 0;
    if (Number.parseInt(field(148, 156), 8) !== sum || at + BLOCK + size > archive.length) {
      throw new Error("it is no tar archive");
    }
    const type = field(156, 157);
    const prefix = field(345, 500);
    const name = (prefix === "" ? "" : `${prefix}/`) + field(0, 100);
    if (type === "0" || type === "") yield { name, text: archive.toString("utf8", at + BLOCK, at + BLOCK + size) };
    else if (type !== "5") throw new Error(`unexpected kind of file in the archive: ${name}`);
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
}
