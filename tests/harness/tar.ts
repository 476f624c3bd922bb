/** Writes tar archives entry by entry, so that a test can also make those that no honest program would. */

export interface TarEntry {
  name: string;
  /** Bytes of a file; its size field unless `size` says otherwise. */
  content?: string | Uint8Array;
  type?: "file" | "hardlink" | "symlink" | "character" | "block" | "directory" | "fifo";
  link?: string;
  mode?: number;
  uid?: number;
  gid?: number;
  /** What the header claims, where it should lie. */
  size?: number;
  mtime?: number;
  device?: [major: number, minor: number];
}

const typeFlags = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
} as const;
const block = 512;

/** A POSIX ustar archive with its two closing zero blocks. Names and links of more than 100 bytes are refused. */
export function tar(entries: readonly TarEntry[]): Buffer<ArrayBuffer> {
  const parts: Buffer[] = [];
  for (const entry of entries) {
    const content = Buffer.from(entry.content ?? "");
    parts.push(header(entry, content.length), content, Buffer.alloc((block - (content.length % block)) % block));
  }
  return Buffer.concat([...parts, Buffer.alloc(2 * block)]);
}

function header(entry: TarEntry, length: number): Buffer {
  const bytes = Buffer.alloc(block);
  const text = (value: string, at: number, room: number) => {
    if (Buffer.byteLength(value) > room) throw new Error(`"${value}" does not fit into ${room} bytes of a tar header`);
    bytes.write(value, at);
  };
  const octal = (value: number, at: number, room: number) =>
    text(value.toString(8).padStart(room - 1, "0"), at, room - 1);
  const type = entry.type ?? "file";
  text(entry.name, 0, 100);
  octal(entry.mode ?? (type === "directory" ? 0o755 : 0o644), 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  const size = entry.size ?? length;
  if (size < 8 ** 11) octal(size, 124, 12);
  else {
    bytes[124] = 0x80; // GNU: base 256
    bytes.writeBigUInt64BE(BigInt(size), 128);
  }
  octal(entry.mtime ?? 1_700_000_000, 136, 12);
  text("        ", 148, 8);
  text(typeFlags[type], 156, 1);
  text(entry.link ?? "", 157, 100);
  text("ustar\u000000", 257, 8);
  if (entry.device !== undefined) {
    octal(entry.device[0], 329, 8);
    octal(entry.device[1], 337, 8);
  }
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  text(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8);
  return bytes;
}
