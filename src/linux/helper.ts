/** The chrooted helper: this same executable under a hidden verb, so that a malicious archive can crash only that. */
import { EngineError } from "#lib/errors.ts";

/** `berth __helper`: the command to spawn; operation and options still to be appended. */
export function helperCommand(): string[] {
  throw new EngineError("not-implemented", "");
}

/** Runs one helper operation in this process; `argv` is what follows `__helper`. Resolves to the exit code. */
export function runHelper(_argv: readonly string[]): Promise<number> {
  throw new EngineError("not-implemented", "");
}
