/** Finds where the last lines of a log begin, reading it from its end. */
import type { FileHandle } from "node:fs/promises";

const BLOCK = 256 * 1024;
const NEWLINE = 10;

/** Offset of the record with which the last `lines` of the first `size` bytes begin; 0 where there are fewer. */
export async function tailOffset(file: FileHandle, size: number, lines: number): Promise<number> {
  if (lines <= 0) return size;
  const block = Buffer.allocUnsafe(BLOCK);
  let left = lines;
  // The newline that ends the last record begins no line; a record still being written counts as one.
  let end = size;
  let first = true;
  while (end > 0) {
    const start = Math.max(0, end - BLOCK);
    const { bytesRead } = await file.read(block, 0, end - start, start);
    let at = bytesRead;
    if (first && block[at - 1] === NEWLINE) at--;
    first = false;
    for (;;) {
      const newline = at === 0 ? -1 : block.lastIndexOf(NEWLINE, at - 1);
      if (newline < 0) break;
      if (--left === 0) return start + newline + 1;
      at = newline;
    }
    end = start;
  }
  return 0;
}
