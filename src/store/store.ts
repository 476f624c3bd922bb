/** Wires the parts of the store over one data root and mends what a crash left. */
import type { Database } from "bun:sqlite";
import type { Logger } from "#lib/log.ts";
import { ContentStore } from "./content.ts";
import type { Schema } from "./database.ts";
import { GarbageCollector } from "./garbage.ts";
import { layerTables } from "./layer-table.ts";
import { LayerStore, type UnpackLimits } from "./layers.ts";
import type { Layout } from "./layout.ts";
import { Leases } from "./leases.ts";
import { OverlaySnapshots, snapshotTables } from "./overlay-snapshots.ts";
import type { Snapshots } from "./snapshots.ts";
import { Trash } from "./trash.ts";

/** Tables of layers and snapshots: give them to `openDatabase`. */
export const storeSchema: Schema = { name: "store", versions: [layerTables + snapshotTables] };

/** Disposing stops the helpers at work and waits for them; what they were doing is mended by the next start. */
export interface Store extends AsyncDisposable {
  readonly content: ContentStore;
  readonly layers: LayerStore;
  readonly snapshots: Snapshots;
  readonly leases: Leases;
  readonly trash: Trash;
  readonly garbage: GarbageCollector;
}

/**
 * Opens the store; the caller holds the data root's lock. What an earlier run left half-made goes to the trash
 * (partial blobs, everything in `tmp`, layers and snapshots without a row) or from the database (rows without a folder).
 */
export function openStore(db: Database, layout: Layout, log: Logger, limits?: UnpackLimits): Store {
  const trash = new Trash(layout, log);
  const content = new ContentStore(layout, trash);
  const layers = new LayerStore(db, layout, content, trash, limits);
  const snapshots = new OverlaySnapshots(db, layout, layers, trash);
  const leases = new Leases();
  content.recover();
  layers.recover();
  snapshots.recover();
  trash.emptyLater();
  return {
    content,
    layers,
    snapshots,
    leases,
    trash,
    garbage: new GarbageCollector(content, layers, snapshots, leases),
    async [Symbol.asyncDispose]() {
      layers[Symbol.dispose]();
      await trash[Symbol.asyncDispose]();
    },
  };
}
