/** What the daemon asks of helper processes: unpack, pack, measure and remove trees without touching their bytes itself. */
import { EngineError } from "#lib/errors.ts";

export interface UnpackRequest {
  /** A tar, perhaps compressed (gzip, zstd, xz, bzip2), as a path or a descriptor positioned at its start, which the caller closes. */
  readonly archive: string | number;
  /** Existing folder; the helper changes its root to it. */
  readonly target: string;
  /** "layer" turns OCI whiteouts into overlay ones, "plain" takes names as they are (docker cp). */
  readonly mode: "layer" | "plain";
  /** Folder that the names are relative to, looked up inside `target`; default its root. */
  readonly directory?: string;
  /** Compute the digest of the uncompressed stream. */
  readonly digest?: boolean;
  readonly maxBytes?: number;
  readonly maxEntries?: number;
  /** Give everything to this owner instead of the archive's. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Refuse to replace a directory by something else or the reverse (docker cp). */
  readonly keepDirectories?: boolean;
}

export interface UnpackResult {
  /** `sha256:<hex>` of the uncompressed stream, where asked for. */
  readonly digest?: string;
  /** Bytes of regular files. */
  readonly bytes: number;
  readonly entries: number;
  /** Directories made because an entry needed them though the archive has none, parents first; names as latin1 bytes. */
  readonly impliedDirectories: readonly string[];
}

/**
 * Unpacks into `target`. Rejects "invalid" for a malformed or malicious archive or an exceeded limit, "internal" for
 * the disk's failures; what was written till then is left for the caller to remove.
 */
export function unpackArchive(_request: UnpackRequest, _signal?: AbortSignal): Promise<UnpackResult> {
  throw new EngineError("not-implemented", "");
}

export interface PackRequest {
  /** The helper changes its root to it. */
  readonly root: string;
  /** What to pack, looked up inside `root`; default everything. Absent ones are an error of kind "not-found". */
  readonly paths?: readonly string[];
  /** "layer" turns overlay whiteouts and opaque directories of an upper folder into OCI ones; "plain" takes all as is. */
  readonly mode: "layer" | "plain";
  /** Entry name for the one path given (docker cp renames). */
  readonly rename?: string;
}

/** A PAX tar in a fixed order. `done` rejects where packing failed: await it after the stream's end. Cancel by the signal. */
export interface PackStream {
  readonly stream: ReadableStream<Uint8Array>;
  readonly done: Promise<void>;
}

export function packTree(_request: PackRequest, _signal?: AbortSignal): PackStream {
  throw new EngineError("not-implemented", "");
}

/** Bytes on disk and inodes below a folder, hard links once, one file system. */
export function measureTree(_root: string, _signal?: AbortSignal): Promise<{ bytes: number; inodes: number }> {
  throw new EngineError("not-implemented", "");
}
