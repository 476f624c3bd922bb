/** Snapshots as overlayfs folders: `snapshots/<key>/{fs,work}` over the unpacked layers. */
import type { Database } from "bun:sqlite";
import { chmodSync, chownSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "#lib/errors.ts";
import { measureTree } from "#linux/helper-client.ts";
import type { Digest } from "#oci/digest.ts";
import type { LayerStore } from "./layers.ts";
import type { Layout } from "./layout.ts";
import type { Mount, SnapshotInfo, Snapshots, Usage } from "./snapshots.ts";
import type { Trash } from "./trash.ts";

export const snapshotTables = `
  CREATE TABLE snapshots (
    key TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    chain TEXT NOT NULL,
    created INTEGER NOT NULL
  ) STRICT;
`;

interface StoredSnapshot {
  key: string;
  kind: "active" | "view";
  chain: string;
  created: number;
}

export class OverlaySnapshots implements Snapshots {
  readonly #db: Database;
  readonly #layout: Layout;
  readonly #layers: LayerStore;
  readonly #trash: Trash;

  constructor(db: Database, layout: Layout, layers: LayerStore, trash: Trash) {
    this.#db = db;
    this.#layout = layout;
    this.#layers = layers;
    this.#trash = trash;
    mkdirSync(layout.snapshots, { recursive: true, mode: 0o700 });
  }

  async prepare(key: string, chain: readonly Digest[]): Promise<Mount> {
    const lower = await this.#layers.stack(chain);
    this.#checkFree(key);
    const root = this.#layers.rootAttributes(chain);
    const { upper, work } = this.#folders(key);
    // Left by a crash, or by a removal whose row went first.
    this.#trash.put(this.#layout.snapshot(key));
    try {
      mkdirSync(upper, { recursive: true });
      chownSync(upper, root.uid, root.gid);
      chmodSync(upper, root.mode);
      mkdirSync(work, { mode: 0o700 });
      this.#insert(key, "active", chain);
    } catch (error) {
      this.#trash.put(this.#layout.snapshot(key));
      throw error;
    }
    return describe(lower, { upper, work });
  }

  async view(key: string, chain: readonly Digest[]): Promise<Mount> {
    const lower = await this.#layers.stack(chain);
    this.#checkFree(key);
    mkdirSync(this.#folders(key).upper, { recursive: true });
    this.#insert(key, "view", chain);
    return describe(lower, undefined, this.#folders(key).upper);
  }

  async commit(key: string, diffId: Digest): Promise<void> {
    const { kind } = this.#row(key);
    if (kind === "view") throw new EngineError("conflict", `snapshot ${key} is read-only: there is nothing to commit`);
    await this.#layers.adopt(this.#folders(key).upper, diffId);
    await this.remove(key);
  }

  async remove(key: string): Promise<void> {
    if (!isKey(key)) return;
    this.#db.query("DELETE FROM snapshots WHERE key = ?").run(key);
    this.#trash.put(this.#layout.snapshot(key));
  }

  async usage(key: string, signal?: AbortSignal): Promise<Usage> {
    this.#row(key);
    const { bytes, inodes, content } = await measureTree(this.#folders(key).upper, signal);
    return { bytes, inodes, content };
  }

  async mounts(key: string): Promise<Mount> {
    const { kind, chain } = this.#row(key);
    const lower = await this.#layers.stack(JSON.parse(chain) as Digest[]);
    const folders = this.#folders(key);
    return kind === "active" ? describe(lower, folders) : describe(lower, undefined, folders.upper);
  }

  list(): SnapshotInfo[] {
    return this.#db
      .query<StoredSnapshot, []>("SELECT * FROM snapshots ORDER BY created, key")
      .all()
      .map(({ chain, ...row }) => ({ ...row, chain: JSON.parse(chain) as Digest[] }));
  }

  /** At start: folders without a row and rows without a folder go. */
  recover(): void {
    const known = new Set(this.list().map(({ key }) => key));
    const present = new Set(readdirSync(this.#layout.snapshots));
    for (const key of present) if (!known.has(key)) this.#trash.put(this.#layout.snapshot(key));
    for (const key of known) if (!present.has(key)) this.#db.query("DELETE FROM snapshots WHERE key = ?").run(key);
  }

  #folders(key: string): { upper: string; work: string } {
    const folder = this.#layout.snapshot(key);
    return { upper: join(folder, "fs"), work: join(folder, "work") };
  }

  #insert(key: string, kind: "active" | "view", chain: readonly Digest[]): void {
    this.#db
      .query("INSERT INTO snapshots (key, kind, chain, created) VALUES (?, ?, ?, ?)")
      .run(key, kind, JSON.stringify(chain), Date.now());
  }

  #checkFree(key: string): void {
    if (!isKey(key)) throw new EngineError("invalid", `invalid snapshot key ${JSON.stringify(key)}`);
    if (this.#find(key) !== null) throw new EngineError("conflict", `snapshot ${key} already exists`);
  }

  #row(key: string): StoredSnapshot {
    const row = this.#find(key);
    if (row === null) throw new EngineError("not-found", `snapshot ${key} not found`);
    return row;
  }

  #find(key: string): StoredSnapshot | null {
    return this.#db.query<StoredSnapshot, [string]>("SELECT * FROM snapshots WHERE key = ?").get(key);
  }
}

function isKey(key: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(key);
}

/** Overlayfs wants at least one lower folder, or two where it is read-only; below that a bind mount does. */
function describe(lower: readonly string[], writable?: { upper: string; work: string }, empty = ""): Mount {
  const [only] = lower;
  if (writable !== undefined) {
    return only === undefined
      ? { type: "bind", source: writable.upper, readOnly: false }
      : { type: "overlay", lower, ...writable };
  }
  if (lower.length > 1) return { type: "overlay", lower };
  return { type: "bind", source: only ?? empty, readOnly: true };
}
