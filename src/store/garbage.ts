/** Takes away what nothing names any more. */
import { setImmediate } from "node:timers/promises";
import type { Digest } from "#oci/digest.ts";
import type { ContentStore } from "./content.ts";
import type { Blob } from "./partial.ts";
import type { Layer, LayerStore } from "./layers.ts";
import type { Leases } from "./leases.ts";
import type { Snapshots } from "./snapshots.ts";

/** Victims decided on and renamed between two turns of the event loop. */
const batch = 100;

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
  /** Bytes of blobs and of files in layers. */
  readonly bytes: number;
}

export class GarbageCollector {
  readonly #content: ContentStore;
  readonly #layers: LayerStore;
  readonly #snapshots: Snapshots;
  readonly #leases: Leases;

  constructor(content: ContentStore, layers: LayerStore, snapshots: Snapshots, leases: Leases) {
    this.#content = content;
    this.#layers = layers;
    this.#snapshots = snapshots;
    this.#leases = leases;
  }

  /**
   * Removes blobs and layers that neither `roots`, a snapshot nor a lease names; the disk is freed in the background.
   *
   * `roots` is asked whenever victims are about to be decided on; between its answer and their removal nothing else
   * runs. So work goes on meanwhile, as long as it leases what it counts on.
   */
  async collect(roots: () => Roots, signal?: AbortSignal): Promise<Collected> {
    const layers = await this.#sweep<Layer>(
      this.#layers.list(),
      ({ diffId }) => diffId,
      () => {
        const named = new Set(roots().layers);
        for (const { chain } of this.#snapshots.list()) for (const diffId of chain) named.add(diffId);
        return named;
      },
      (diffId) => this.#layers.remove(diffId),
      signal,
    );
    const blobs = await this.#sweep<Blob>(
      this.#content.list(),
      ({ digest }) => digest,
      () => roots().blobs,
      (digest) => this.#content.remove(digest),
      signal,
    );
    this.#content.removeStalePartials();
    return {
      layers: layers.map(({ diffId }) => diffId),
      blobs: blobs.map(({ digest }) => digest),
      bytes: [...layers, ...blobs].reduce((sum, { size }) => sum + size, 0),
    };
  }

  async #sweep<T>(
    candidates: readonly T[],
    digestOf: (candidate: T) => Digest,
    named: () => ReadonlySet<Digest>,
    remove: (digest: Digest) => void,
    signal?: AbortSignal,
  ): Promise<T[]> {
    const removed: T[] = [];
    for (let start = 0; start < candidates.length; start += batch) {
      if (start > 0) await setImmediate();
      signal?.throwIfAborted();
      const kept = named();
      for (const candidate of candidates.slice(start, start + batch)) {
        const digest = digestOf(candidate);
        if (kept.has(digest) || this.#leases.holds(digest)) continue;
        remove(digest);
        removed.push(candidate);
      }
    }
    return removed;
  }
}
