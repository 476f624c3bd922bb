/** The seam between images and root file systems: copy-on-write directories described as mounts, never mounted here. */
import type { Digest } from "#oci/digest.ts";

/** Top first, as overlayfs wants them. Without `upper` and `work` the mount is read-only. */
export interface OverlayMount {
  readonly type: "overlay";
  readonly lower: readonly string[];
  readonly upper?: string;
  readonly work?: string;
}

/** A single folder: an image without layers has nothing to overlay. */
export interface BindMount {
  readonly type: "bind";
  readonly source: string;
  readonly readOnly: boolean;
}

export type Mount = OverlayMount | BindMount;

export interface Usage {
  /** Bytes on disk (blocks, hard links once). */
  readonly bytes: number;
  readonly inodes: number;
  /** Lengths of the regular files: what Docker calls the size of a container's layer. */
  readonly content: number;
}

export interface SnapshotInfo {
  readonly key: string;
  readonly kind: "active" | "view";
  /** DiffIDs of the image below, bottom first. */
  readonly chain: readonly Digest[];
  /** Milliseconds since the epoch. */
  readonly created: number;
}

/**
 * Writable copies of a chain of layers, by a key of the caller's choice (`[a-zA-Z0-9][a-zA-Z0-9_.-]*`).
 *
 * End every `prepare` and `view` with exactly one `remove` or `commit`. A snapshot keeps its layers from being
 * collected. Rejects "conflict" for a key in use, "not-found" for an unknown key or layer. Survives a crash:
 * what was half-made is gone after `recover`.
 */
export interface Snapshots {
  /** A writable snapshot; its root directory has the mode and owner of the image's. */
  prepare(key: string, chain: readonly Digest[]): Promise<Mount>;
  /** A read-only one. */
  view(key: string, chain: readonly Digest[]): Promise<Mount>;
  /** Turns what was written into the layer `diffId` and ends the snapshot; unmount it first. */
  commit(key: string, diffId: Digest): Promise<void>;
  /** Idempotent; the files go in the background. Unmount it first. */
  remove(key: string): Promise<void>;
  /** What was written to it. */
  usage(key: string, signal?: AbortSignal): Promise<Usage>;
  mounts(key: string): Promise<Mount>;
  list(): SnapshotInfo[];
}
