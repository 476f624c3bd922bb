/** Snapshots as overlayfs folders: `snapshots/<key>/{fs,work}` over the unpacked layers. */
import type { Database } from "bun:sqlite";
import { EngineError } from "#lib/errors.ts";
import type { Digest } from "#oci/digest.ts";
import type { LayerStore } from "./layers.ts";
import type { Layout } from "./layout.ts";
import type { Mount, SnapshotInfo, Snapshots, Usage } from "./snapshots.ts";
import type { Trash } from "./trash.ts";

export class OverlaySnapshots implements Snapshots {
  constructor(_db: Database, _layout: Layout, _layers: LayerStore, _trash: Trash) {}

  prepare(_key: string, _chain: readonly Digest[]): Promise<Mount> {
    throw new EngineError("not-implemented", "");
  }
  view(_key: string, _chain: readonly Digest[]): Promise<Mount> {
    throw new EngineError("not-implemented", "");
  }
  commit(_key: string, _diffId: Digest): Promise<void> {
    throw new EngineError("not-implemented", "");
  }
  remove(_key: string): Promise<void> {
    throw new EngineError("not-implemented", "");
  }
  usage(_key: string, _signal?: AbortSignal): Promise<Usage> {
    throw new EngineError("not-implemented", "");
  }
  mounts(_key: string): Promise<Mount> {
    throw new EngineError("not-implemented", "");
  }
  list(): SnapshotInfo[] {
    throw new EngineError("not-implemented", "");
  }
}
