/** Puts failures that only SQLite and the runtime have words for into words for clients. */
import { EngineError, errorKind } from "#lib/errors.ts";

/** SQLite's names for a disk that takes no more, and the system's. */
const FULL: Readonly<Record<string, string>> = {
  SQLITE_FULL: "no space left on device",
  SQLITE_IOERR_SHMSIZE: "no space left on device",
  ENOSPC: "no space left on device",
  EDQUOT: "disk quota exceeded",
};

/** What to tell a client of `thrown`: the same, unless it says that a disk is full. `dataRoot` holds the database. */
export function tellableFailure(thrown: unknown, dataRoot: string): unknown {
  if (errorKind(thrown) !== "internal") return thrown;
  for (let error: unknown = thrown; error instanceof Error; error = error.cause) {
    const { code, path } = error as Error & { code?: unknown; path?: unknown };
    const reason = typeof code === "string" ? FULL[code] : undefined;
    if (reason === undefined) continue;
    const where = typeof path === "string" ? path : dataRoot;
    return new EngineError("unavailable", `cannot write to ${where}: ${reason}`, { cause: thrown });
  }
  return thrown;
}
