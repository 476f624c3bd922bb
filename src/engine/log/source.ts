/** Opens the files of a log, while they are rotated, compressed and removed. */
import { createReadStream, createWriteStream } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createZstdDecompress } from "node:zlib";
import { listSegments, liveInode, segmentPath } from "./segments.ts";

/** One file of a log. It is held open, so that it can be read when it has long been removed. */
export class LogFile implements AsyncDisposable {
  /** Undefined for a live file that has none yet. */
  readonly number: number | undefined;
  /** Was being written when it was opened. */
  readonly live: boolean;
  readonly inode: bigint;
  #file: FileHandle;
  #compressed: boolean;

  constructor(file: FileHandle, inode: bigint, live: boolean, number: number | undefined, compressed = false) {
    this.#file = file;
    this.inode = inode;
    this.live = live;
    this.number = number;
    this.#compressed = compressed;
  }

  /** What can be read at any offset. Unpacks it at first use, into a file in `scratch` that has no name any more. */
  async content(scratch: string): Promise<FileHandle> {
    if (!this.#compressed) return this.#file;
    const packed = this.#file;
    const unpacked = join(scratch, crypto.randomUUID());
    await using undo = new AsyncDisposableStack();
    const file = await open(unpacked, "wx+", 0o600);
    undo.defer(() => file.close());
    await rm(unpacked);
    await pipeline(
      createReadStream("", { fd: packed.fd, autoClose: false }),
      createZstdDecompress(),
      createWriteStream("", { fd: file.fd, autoClose: false }),
    );
    undo.move();
    this.#file = file;
    this.#compressed = false;
    await packed.close();
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

/**
 * The files after the one numbered `after`, in order, without those whose last line was before `from` (nanoseconds since
 * the epoch). The live one is the last; one that is laid ready for the monitor holds nothing and is left out.
 */
export async function openLogFiles(log: string, after: number, from?: bigint): Promise<LogFile[]> {
  for (;;) {
    await using undo = new AsyncDisposableStack();
    const live = liveInode(log);
    const segments = listSegments(log);
    const written = segments.find(({ inode }) => inode === live)?.number;
    const files: LogFile[] = [];
    for (const { number, modified, compressed } of segments) {
      if (number <= after || (written !== undefined && number >= written) || isOlder(modified, from)) continue;
      const file = await openSegment(log, number, compressed);
      if (file !== undefined) files.push(undo.use(file));
    }
    const handle = live === undefined ? undefined : await openFile(log);
    if (handle === undefined && live === undefined) return moved(undo, files);
    if (handle === undefined) continue;
    const { ino } = await handle.stat({ bigint: true });
    files.push(undo.use(new LogFile(handle, ino, true, written)));
    // Else it was rotated meanwhile, and what was live is among the others now.
    if (ino === live) return moved(undo, files);
  }
}

function moved(undo: AsyncDisposableStack, files: LogFile[]): LogFile[] {
  undo.move();
  return files;
}

/** Of a file that was perhaps numbered only after it was opened. One that is gone comes right before the live one. */
export function numberOf(log: string, { number, inode }: LogFile): number {
  if (number !== undefined) return number;
  const segments = listSegments(log);
  const live = liveInode(log);
  const known = (wanted: bigint | undefined) => segments.find((segment) => segment.inode === wanted)?.number;
  return known(inode) ?? (known(live) ?? Infinity) - 1;
}

/** The clock that stamps files lags behind the one that stamps lines. */
function isOlder(modified: number, from: bigint | undefined): boolean {
  return from !== undefined && BigInt(Math.ceil(modified) + 1000) * 1_000_000n < from;
}

/** Compressed by now where it is not there as it was listed; undefined where it is gone. */
async function openSegment(log: string, number: number, compressed: boolean): Promise<LogFile | undefined> {
  const path = segmentPath(log, number);
  const plain = compressed ? undefined : await openFile(path);
  if (plain !== undefined) return new LogFile(plain, 0n, false, number);
  const packed = await openFile(`${path}.zst`);
  return packed && new LogFile(packed, 0n, false, number, true);
}

async function openFile(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
