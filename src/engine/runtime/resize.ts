/** Tells conmon the size of a terminal. */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { EngineError } from "#lib/errors.ts";

const RESIZE = 1;

/** `control` is conmon's fifo. Throws "conflict" where no conmon reads it; a size of zero is none. */
export async function resizeTerminal(control: string, height: number, width: number): Promise<void> {
  if (height <= 0 || width <= 0) return;
  try {
    // Without O_NONBLOCK the open would wait for a reader that may be gone.
    await using file = await open(control, constants.O_WRONLY | constants.O_NONBLOCK);
    await file.write(`${RESIZE} ${height} ${width}\n`);
  } catch (cause) {
    throw new EngineError("conflict", "cannot resize a stopped container", { cause });
  }
}
