/** Reads and writes the outer tar of image archives as a stream, so that `load` and `save` never touch the disk for it. */
import { EngineError } from "#lib/errors.ts";

export interface TarEntry {
  /** UTF-8, as written (may start with "./" or end in "/"). */
  readonly name: string;
  readonly type: "file" | "directory" | "symlink" | "hardlink" | "other";
  /** Bytes of content. */
  readonly size: number;
  /** Target of a symlink or hardlink, "" otherwise. */
  readonly linkName: string;
  /** Permission bits. */
  readonly mode: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
  /** The content, once; what is not read is skipped when the next entry is asked for. */
  content(): AsyncIterable<Uint8Array>;
  /** All of the content. Rejects "invalid" above `limit` bytes (default 4 MiB). */
  bytes(limit?: number): Promise<Uint8Array>;
}

/** POSIX ustar, PAX (path, linkpath, size, mtime) and GNU long names. Rejects "invalid" for what is not such a tar or is cut off. */
export function readTar(_source: AsyncIterable<Uint8Array>): AsyncIterable<TarEntry> {
  throw new EngineError("not-implemented", "");
}

export interface TarInput {
  readonly name: string;
  readonly type?: "file" | "directory" | "symlink";
  readonly size?: number;
  readonly linkName?: string;
  /** Default 0644, directories 0755. */
  readonly mode?: number;
  /** Seconds since the epoch; default 0. */
  readonly mtime?: number;
  /** Exactly `size` bytes. */
  readonly content?: AsyncIterable<Uint8Array> | Uint8Array;
}

/** A tar of the inputs in their order, each asked for when the one before is written; PAX records only where ustar does not do. */
export function writeTar(_inputs: AsyncIterable<TarInput> | Iterable<TarInput>): AsyncIterable<Uint8Array> {
  throw new EngineError("not-implemented", "");
}
