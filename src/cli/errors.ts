/** Why a command ends: an exit code together with what to print first. */

/**
 * Ends the command with `code` after printing `message` (none when empty) on stderr, as it stands.
 * Docker's codes: 125 for a flag or a failed `run`, 126 and 127 for a program that cannot be executed,
 * the container's own code, else 1.
 */
export class ExitError extends Error {
  readonly code: number;

  constructor(code: number, message = "", options?: ErrorOptions) {
    super(message, options);
    this.name = "ExitError";
    this.code = code;
  }
}
