/** Finds where the last lines of a log begin, reading it from its end. */
import type { FileHandle } from "node:fs/promises";
import { isPartial, TEXT_OFFSET } from "./record.ts";

const BLOCK = 256 * 1024;
const NEWLINE = 10;

/** Offset of the record with which the last `lines` of the first `size` bytes begin; 0 where there are fewer. */
export async function tailOffset(file: FileHandle, size: number, lines: number): Promise<number> {
  if (lines <= 0) return size;
  const block = Buffer.allocUnsafe(BLOCK);
  const head = Buffer.alloc(TEXT_OFFSET);
  let left = lines;
  let end = size;
  /** Beginning of the record after the one looked at: it begins a line unless that one is partial. */
  let next: number | undefined;
  while (end > 0) {
    const start = Math.max(0, end - BLOCK);
    const { bytesRead } = await file.read(block, 0, end - start, start);
    for (let at = bytesRead; ;) {
      const newline = at === 0 ? -1 : block.lastIndexOf(NEWLINE, at - 1);
      if (newline < 0) break;
      const record = start + newline + 1;
      at = newline;
      if (record === size) continue; // ends the last record and begins none
      if (next !== undefined) {
        // The flag of the record at `record` may lie beyond this block.
        const inBlock = newline + 1 + TEXT_OFFSET <= bytesRead;
        if (!inBlock) await file.read(head, 0, TEXT_OFFSET, record);
        const partial = inBlock ? isPartial(block, newline + 1) : isPartial(head, 0);
        if (!partial && --left === 0) return next;
      }
      next = record;
    }
    end = start;
  }
  if (next === undefined) return 0;
  await file.read(head, 0, TEXT_OFFSET, 0);
  return !isPartial(head, 0) && --left === 0 ? next : 0;
}
