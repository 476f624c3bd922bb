/** Tells by its first bytes whether an archive is compressed. */
import { closeSync, openSync, readSync } from "node:fs";

const needed = 6;

/** Whether a file begins like a gzip, zstd, xz or bzip2 stream. */
export function isCompressed(path: string): boolean {
  const start = Buffer.alloc(needed);
  const fd = openSync(path, "r");
  try {
    readSync(fd, start, 0, start.length, 0);
  } finally {
    closeSync(fd);
  }
  return beginsCompressed(start);
}

/** The same for a stream, which is given back whole. Rejects where the source fails before so much came. */
export async function peek(
  source: ReadableStream<Uint8Array>,
): Promise<{ compressed: boolean; stream: ReadableStream<Uint8Array> }> {
  const reader = source.getReader();
  const seen: Uint8Array[] = [];
  for (let size = 0; size < needed;) {
    const { value, done } = await reader.read();
    if (done) break;
    seen.push(value);
    size += value.length;
  }
  const compressed = beginsCompressed(Buffer.concat(seen));
  const stream = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const ahead = seen.shift();
      if (ahead !== undefined) return controller.enqueue(ahead);
      const { value, done } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return { compressed, stream };
}

/** The same for what can take back what was read of it. */
export async function startsCompressed(
  source: AsyncIterable<Uint8Array> & { unread(bytes: Uint8Array): void },
): Promise<boolean> {
  let start = Buffer.alloc(0);
  for await (const chunk of source) {
    start = Buffer.concat([start, chunk]);
    if (start.length >= needed) break;
  }
  source.unread(start);
  return beginsCompressed(start);
}

function beginsCompressed(start: Buffer): boolean {
  const hex = start.toString("hex", 0, needed);
  // The last is zstd's skippable frame, 184D2A50 to 184D2A5F in little endian.
  return /^(1f8b|28b52ffd|fd377a585a00|425a68|5.2a4d18)/.test(hex);
}
