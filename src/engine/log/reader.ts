/** Reads a container's log as conmon writes it and gives it out as Docker's log stream. */
import { EngineError } from "#lib/errors.ts";

export interface LogOptions {
  stdout: boolean;
  stderr: boolean;
  /** A tty container's log is sent raw, any other in 8-byte stdcopy frames. */
  tty: boolean;
  timestamps?: boolean;
  /** Lines from the end; undefined is all. */
  tail?: number;
  /** Nanoseconds since the epoch, inclusive. */
  since?: bigint;
  until?: bigint;
  /** Put in front of each line (`details=1`: `key=value,…`). */
  details?: string;
  follow?: boolean;
  /** Aborted or settled once the container has stopped: a following reader drains the file and ends. */
  stopped?: AbortSignal | PromiseLike<unknown>;
}

/**
 * Yields chunks of up to some 64 KiB, ready for the wire. The next one is read only when asked for.
 * A missing file is an empty log. Ends early, without an error, when `signal` is aborted.
 */
export async function* readLog(path: string, options: LogOptions, signal?: AbortSignal): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  yield await Promise.reject(new EngineError("not-implemented", `cannot read ${path} ${options.tty} ${signal?.aborted}`));
}
