/** The one error type that crosses module borders: what went wrong, as a kind that each edge can translate. */

export type ErrorKind =
  | "not-found"
  | "invalid"
  | "conflict"
  | "unauthorized"
  | "forbidden"
  | "unavailable"
  | "not-implemented"
  | "not-modified"
  | "internal";

/**
 * An expected failure. The message says what could not be done, to what, and why; where scripts
 * grep a message of Docker's, it is Docker's wording. `cause` keeps the error underneath.
 */
export class EngineError extends Error {
  readonly kind: ErrorKind;

  constructor(kind: ErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "EngineError";
    this.kind = kind;
  }
}

/** The kind of any thrown value; what is not an EngineError is "internal". */
export function errorKind(thrown: unknown): ErrorKind {
  const error = firstError(thrown);
  return error instanceof EngineError ? error.kind : "internal";
}

/** The message of any thrown value. */
export function errorMessage(thrown: unknown): string {
  const error = firstError(thrown);
  return error instanceof Error ? error.message : String(error);
}

/** Puts `context: ` before the message of what `work` throws; the kind stays. */
export async function withContext<T>(context: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new EngineError(errorKind(cause), `${context}: ${errorMessage(cause)}`, { cause });
  }
}

/** What went wrong in the first place, where undoing it went wrong too (`using`): SuppressedError itself says nothing. */
function firstError(thrown: unknown): unknown {
  let error = thrown;
  while (error instanceof SuppressedError) error = error.suppressed as unknown;
  return error;
}
