/** Sets the size of a terminal that conmon holds. */
import { EngineError } from "#lib/errors.ts";
import { tellSize } from "./control.ts";

/** `control` is conmon's fifo. Rejects with "conflict" where no conmon reads it; a size of zero is none. */
export function resizeTerminal(control: string, height: number, width: number): Promise<void> {
  if (height <= 0 || width <= 0) return Promise.resolve();
  try {
    tellSize(control, height, width);
    return Promise.resolve();
  } catch (cause) {
    return Promise.reject(new EngineError("conflict", "cannot resize a stopped container", { cause }));
  }
}
