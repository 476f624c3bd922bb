/** Removes trees without anyone waiting: a rename now, the unlinking later in a low-priority helper. */
import { EngineError } from "#lib/errors.ts";
import type { Logger } from "#lib/log.ts";
import type { Layout } from "./layout.ts";

export class Trash {
  constructor(_layout: Layout, _log: Logger) {}

  /** Moves a file or folder of the data root out of sight; no error if it is already gone. */
  put(_path: string): void {
    throw new EngineError("not-implemented", "");
  }

  /** Resolves when everything put so far is off the disk. */
  idle(): Promise<void> {
    throw new EngineError("not-implemented", "");
  }
}
