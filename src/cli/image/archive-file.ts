/** A local archive as a request's body. */
import { statSync } from "node:fs";
import { openError } from "../container/option-checks.ts";
import { ExitError } from "../errors.ts";

/** Read as it is sent. Throws ExitError where there is no such file, before the daemon is asked anything. */
export function archiveFile(path: string): Blob {
  try {
    statSync(path);
  } catch (error) {
    throw new ExitError(1, openError(path, error), { cause: error });
  }
  return Bun.file(path);
}
