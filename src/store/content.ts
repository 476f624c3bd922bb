/** Keeps blobs by digest on disk: nothing appears under its digest before it was verified and made durable. */
import type { Digest } from "#oci/digest.ts";
import { EngineError } from "#lib/errors.ts";
import type { Layout } from "./layout.ts";

/** What the bytes must turn out to be; what is absent is not checked. `size` is in bytes. */
export interface Expected {
  readonly digest?: Digest;
  readonly size?: number;
}

export interface Blob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/**
 * Blobs under `blobs/<algorithm>/<hex>`. The files are the truth: there is no row to disagree with.
 *
 * A blob that no root and no lease names may be removed at any time: lease first, then `has`, then use.
 */
export class ContentStore {
  constructor(_layout: Layout) {}

  has(_digest: Digest): boolean {
    throw new EngineError("not-implemented", "");
  }

  /** Bytes of the blob. Throws kind "not-found". */
  size(_digest: Digest): number {
    throw new EngineError("not-implemented", "");
  }

  /** Where the blob is; it need not exist. */
  path(_digest: Digest): string {
    throw new EngineError("not-implemented", "");
  }

  /** The blob's bytes as a lazy file. Throws kind "not-found". */
  open(_digest: Digest): Bun.BunFile {
    throw new EngineError("not-implemented", "");
  }

  /** The whole blob, for manifests and configs. Rejects "not-found", or "invalid" where it is longer than `limit` bytes (4 MiB). */
  read(_digest: Digest, _limit?: number): Promise<Uint8Array> {
    throw new EngineError("not-implemented", "");
  }

  /** Stores bytes already in memory, by their sha256 where no digest is expected. */
  put(_bytes: Uint8Array, _expected?: Expected): Promise<Blob> {
    throw new EngineError("not-implemented", "");
  }

  /**
   * Stores a stream, hashing while it writes; leaves nothing when it fails.
   *
   * With `expected.digest` already stored, or being stored by somebody else, `source` is cancelled and the result is
   * theirs. Rejects "invalid" naming both digests where the content differs, "internal" on a full disk.
   */
  ingest(_source: AsyncIterable<Uint8Array>, _expected?: Expected, _signal?: AbortSignal): Promise<Blob> {
    throw new EngineError("not-implemented", "");
  }

  /**
   * Opens the partial download named `ref` (any text; the blob's digest is a good one), made if absent. What earlier
   * attempts wrote is rehashed first: go on at `offset`. One writer per ref; a second caller waits for the first.
   */
  writer(_ref: string, _expected: Expected, _signal?: AbortSignal): Promise<ContentWriter> {
    throw new EngineError("not-implemented", "");
  }

  list(): AsyncIterable<Blob> {
    throw new EngineError("not-implemented", "");
  }
}

/** End with exactly one of `commit`, `discard` or `close`; `await using` closes what was not ended. */
export interface ContentWriter extends AsyncDisposable {
  /** Bytes already there. */
  readonly offset: number;
  /** Throws "invalid" as soon as more than the expected size was written. */
  write(chunk: Uint8Array): Promise<void>;
  /** Verifies, syncs and publishes the blob. A mismatch discards the partial and rejects "invalid". */
  commit(): Promise<Blob>;
  /** Forgets all bytes, so that the next attempt starts at 0 (a server that ignores `Range`). */
  restart(): Promise<void>;
  /** Removes the partial. */
  discard(): Promise<void>;
  /** Keeps the partial for a later attempt (gone with the next start of the daemon). */
  close(): Promise<void>;
}
