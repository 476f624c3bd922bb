/** Unpacks each layer once per diffID into a folder of its own, whiteouts turned into those of overlayfs. */
import type { Database } from "bun:sqlite";
import { EngineError } from "#lib/errors.ts";
import type { Logger } from "#lib/log.ts";
import type { Digest } from "#oci/digest.ts";
import type { ContentStore } from "./content.ts";
import type { Layout } from "./layout.ts";

export interface Layer {
  readonly diffId: Digest;
  /** Bytes of the regular files, as Docker counts a layer's size. */
  readonly size: number;
  /** The unpacked folder; read-only to everyone. */
  readonly path: string;
}

/** Rejections of an archive that grows beyond all reason. */
export interface UnpackLimits {
  /** Bytes of file content; default 64 GiB. */
  readonly maxBytes: number;
  /** Default 4 million. */
  readonly maxEntries: number;
}

export class LayerStore {
  constructor(_db: Database, _layout: Layout, _content: ContentStore, _log: Logger, _limits?: Partial<UnpackLimits>) {}

  /** The layer, if it is unpacked. Lease it before you ask. */
  get(_diffId: Digest): Layer | undefined {
    throw new EngineError("not-implemented", "");
  }

  /**
   * Makes sure that the layer is unpacked, from the stored blob (tar; none, gzip, zstd, xz or bzip2, found by its magic).
   *
   * Calls with the same diffID share one run; different ones run side by side, as many as there are cores. Call it for
   * all layers of an image at once. Rejects "invalid" where the content is not `diffId`, the archive is malformed,
   * leaves its root or exceeds a limit; "not-found" without the blob; "internal" on a full disk. Leaves nothing then.
   */
  apply(_blob: Digest, _diffId: Digest, _signal?: AbortSignal): Promise<Layer> {
    throw new EngineError("not-implemented", "");
  }

  /**
   * The folders to stack for an image, top first, from its diffIDs (bottom first). Parent directories that a layer's
   * archive lacks take their attributes from the layers below: then a folder of bare directories, kept by chainID,
   * lies above that layer. Rejects "not-found" when a layer is not unpacked.
   */
  stack(_diffIds: readonly Digest[]): Promise<string[]> {
    throw new EngineError("not-implemented", "");
  }

  /** Sum of the layers' sizes, bytes. Throws "not-found". */
  size(_diffIds: readonly Digest[]): number {
    throw new EngineError("not-implemented", "");
  }

  list(): Layer[] {
    throw new EngineError("not-implemented", "");
  }
}
