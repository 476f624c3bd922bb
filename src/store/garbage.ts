/** Takes away what nothing names any more, and after a crash what was half-made. */
import { EngineError } from "#lib/errors.ts";
import type { Digest } from "#oci/digest.ts";
import type { ContentStore } from "./content.ts";
import type { LayerStore } from "./layers.ts";
import type { Leases } from "./leases.ts";
import type { Snapshots } from "./snapshots.ts";
import type { Trash } from "./trash.ts";

/** What images and containers keep alive. */
export interface Roots {
  /** Manifests, configs and layer blobs. */
  readonly blobs: ReadonlySet<Digest>;
  /** DiffIDs of every image; those of snapshots are known without being named. */
  readonly layers: ReadonlySet<Digest>;
}

export interface Collected {
  readonly blobs: Digest[];
  readonly layers: Digest[];
  /** Bytes of blobs and layers removed. */
  readonly bytes: number;
}

export class GarbageCollector {
  constructor(_content: ContentStore, _layers: LayerStore, _snapshots: Snapshots, _leases: Leases, _trash: Trash) {}

  /** `roots` is called, synchronously, whenever the set of victims is about to be decided; it must be up to date then. */
  collect(_roots: () => Roots, _signal?: AbortSignal): Promise<Collected> {
    throw new EngineError("not-implemented", "");
  }
}
