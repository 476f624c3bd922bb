/** Finds where the last lines of a log begin, reading its files from their ends. */
import type { FileHandle } from "node:fs/promises";
import { isPartial, TEXT_OFFSET } from "./record.ts";
import type { LogFile } from "./source.ts";

const BLOCK = 256 * 1024;
const NEWLINE = 10;

export interface TailStart {
  /** Of the file. */
  index: number;
  offset: number;
}

/** Where the last `lines` of what is in the files now begin. */
export async function tailStart(files: readonly LogFile[], lines: number, scratch: string): Promise<TailStart> {
  const finder = new LineFinder(lines);
  for (let index = files.length - 1; index >= 0; index--) {
    const content = await files[index]?.content(scratch);
    const found = content && (await finder.search(content, (await content.stat()).size));
    // Its last line is the end of one that is wanted: they begin with the file after it.
    if (found === "end") return { index: index + 1, offset: 0 };
    if (found !== undefined) return { index, offset: found };
  }
  return { index: 0, offset: 0 };
}

/** Counts lines backwards, from file to file. A line may be many records, and begin in an earlier file. */
class LineFinder {
  #left: number;
  /** Beginning of the record after the one looked at: it begins a line unless that one is partial. */
  #next: number | "end" | undefined;

  constructor(lines: number) {
    this.#left = lines;
  }

  /**
   * Offset of the record in the first `size` bytes with which the wanted lines begin; "end" where that is the first
   * record of the file that was searched before; undefined where they begin in an earlier file.
   */
  async search(file: FileHandle, size: number): Promise<number | "end" | undefined> {
    if (this.#left <= 0) return size;
    const block = Buffer.allocUnsafe(BLOCK);
    const head = Buffer.alloc(TEXT_OFFSET);
    let end = size;
    while (end > 0) {
      const start = Math.max(0, end - BLOCK);
      const { bytesRead } = await file.read(block, 0, end - start, start);
      for (let at = bytesRead; ;) {
        const newline = at === 0 ? -1 : block.lastIndexOf(NEWLINE, at - 1);
        if (newline < 0) break;
        const record = start + newline + 1;
        at = newline;
        if (record === size) continue; // ends the last record and begins none
        // The flag of the record at `record` may lie beyond this block.
        const inBlock = newline + 1 + TEXT_OFFSET <= bytesRead;
        if (!inBlock) await file.read(head, 0, TEXT_OFFSET, record);
        const found = this.#pass(record, inBlock ? isPartial(block, newline + 1) : isPartial(head, 0));
        if (found !== undefined) return found;
      }
      end = start;
    }
    if (size === 0) return undefined;
    await file.read(head, 0, TEXT_OFFSET, 0);
    const found = this.#pass(0, isPartial(head, 0));
    if (found !== undefined) return found;
    this.#next = "end";
    return undefined;
  }

  #pass(record: number, partial: boolean): number | "end" | undefined {
    const next = this.#next;
    this.#next = record;
    return next !== undefined && !partial && --this.#left === 0 ? next : undefined;
  }
}
