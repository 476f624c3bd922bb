/** Brings a log's numbered files into their bounds: the oldest go, the others are compressed. */
import { createReadStream, createWriteStream, rmSync } from "node:fs";
import { type FileHandle, open, rename, rm, stat, utimes } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { constants, createZstdCompress } from "node:zlib";
import { listSegments, numberLive, type Segment } from "./segments.ts";

export interface LogBounds {
  /** Bytes of one file; Infinity where there is no bound. */
  maxSize: number;
  /** Files in all, the live one too; 2 or more. */
  maxFiles: number;
  /** Those that are written to the end. */
  compress: boolean;
}

/** Level 1 makes access logs a sixth of their size in a fifth of gzip's time; higher ones save no more. */
const LEVEL = 1;
/**
 * A file that is some larger than it may be, because its writer was quick, is compressed too; one that was written while
 * no daemon ran is not, since it must be cut later.
 */
const COMPRESSED_FILES = 2;
const BLOCK = 1 << 20;
const NEWLINE = 10;

/** Ones that grew larger than a file may, while no daemon ran, count as several. Safe against a crash at any point. */
export async function enforceBounds(log: string, { maxSize, maxFiles, compress }: LogBounds): Promise<void> {
  const live = numberLive(log);
  let left = maxFiles - 1;
  for (const segment of finished(listSegments(log), live).toReversed()) {
    const files = Math.max(1, Math.round(segment.size / maxSize));
    if (left <= 0 || segment.size === 0) rmSync(segment.path, { force: true });
    else if (files > left && segment.compressed) rmSync(segment.path, { force: true });
    else if (files > left) await cutOff(segment, left * maxSize);
    else if (compress && files <= COMPRESSED_FILES && !segment.compressed) await compressSegment(segment);
    left -= segment.size === 0 ? 0 : files;
  }
}

function finished(segments: readonly Segment[], live: number | undefined): Segment[] {
  return segments.filter(({ number }) => live === undefined || number < live);
}

/** Leaves the last `keep` bytes, from the beginning of a record on. */
async function cutOff(segment: Segment, keep: number): Promise<void> {
  const unfinished = `${segment.path}.new`;
  await using _ = removing(unfinished);
  {
    await using from = await open(segment.path, "r");
    await using to = await open(unfinished, "w", 0o600);
    const block = Buffer.allocUnsafe(BLOCK);
    let at = await recordAfter(from, segment.size - keep, block);
    for (;;) {
      const { bytesRead } = await from.read(block, 0, block.length, at);
      if (bytesRead === 0) break;
      await to.writeFile(block.subarray(0, bytesRead));
      at += bytesRead;
    }
    await to.datasync();
  }
  await replace(segment, unfinished, segment.path);
}

async function recordAfter(file: FileHandle, offset: number, block: Buffer): Promise<number> {
  for (let at = offset; ;) {
    const { bytesRead } = await file.read(block, 0, block.length, at);
    const newline = block.subarray(0, bytesRead).indexOf(NEWLINE);
    if (newline >= 0) return at + newline + 1;
    if (bytesRead === 0) return at;
    at += bytesRead;
  }
}

async function compressSegment(segment: Segment): Promise<void> {
  const unfinished = `${segment.path}.zst.new`;
  await using _ = removing(unfinished);
  const encoder = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: LEVEL } });
  await pipeline(
    createReadStream(segment.path, { highWaterMark: BLOCK }),
    encoder,
    createWriteStream(unfinished, { mode: 0o600 }),
  );
  await using file = await open(unfinished, "r");
  await file.datasync();
  await replace(segment, unfinished, `${segment.path}.zst`);
  rmSync(segment.path, { force: true });
}

/** A full disk must not keep what it has no room to finish. */
function removing(path: string): AsyncDisposable {
  return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
}

/** With the time of the last line, by which readers skip whole files. */
async function replace(segment: Segment, unfinished: string, path: string): Promise<void> {
  const { mtime } = await stat(segment.path);
  await utimes(unfinished, mtime, mtime);
  await rename(unfinished, path);
}
