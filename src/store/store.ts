/** Wires the parts of the store over one data root and mends what a crash left. */
import type { Database } from "bun:sqlite";
import { EngineError } from "#lib/errors.ts";
import type { Logger } from "#lib/log.ts";
import type { ContentStore } from "./content.ts";
import type { Schema } from "./database.ts";
import type { GarbageCollector } from "./garbage.ts";
import type { LayerStore, UnpackLimits } from "./layers.ts";
import type { Layout } from "./layout.ts";
import type { Leases } from "./leases.ts";
import type { Snapshots } from "./snapshots.ts";
import type { Trash } from "./trash.ts";

/** Tables of layers and snapshots: give them to `openDatabase`. */
export const storeSchema: Schema = { name: "store", versions: [] };

export interface Store extends AsyncDisposable {
  readonly content: ContentStore;
  readonly layers: LayerStore;
  readonly snapshots: Snapshots;
  readonly leases: Leases;
  readonly trash: Trash;
  readonly garbage: GarbageCollector;
}

/**
 * Opens the store; the caller holds the data root's lock. Half-made files of an earlier run are moved to the trash
 * (partial blobs, unpacking in progress, snapshots and layers without a row, rows without a folder).
 * Disposing waits for nothing but helpers at work, which are stopped.
 */
export function openStore(_db: Database, _layout: Layout, _log: Logger, _limits?: Partial<UnpackLimits>): Store {
  throw new EngineError("not-implemented", "");
}
