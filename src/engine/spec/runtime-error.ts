/** Says what an OCI runtime printed in the words (and with the exit code) that Docker's users and scripts know. */
import { EngineError } from "#lib/errors.ts";

export interface RuntimeFailure {
  /** Without the CLI's `Error response from daemon: ` in front. */
  message: string;
  /** What `docker run` exits with: 127 not found, 126 not executable, 128 anything else of the runtime. */
  exitCode: number;
}

/**
 * `stderr` is what crun or runc printed (JSON log lines too), `args0` the program asked for, `verb` what was tried.
 */
export function translateRuntimeError(stderr: string, args0: string, verb: "create" | "start" | "exec" = "create"): RuntimeFailure {
  throw new EngineError("not-implemented", `cannot translate ${stderr} of ${args0} at ${verb}`);
}
