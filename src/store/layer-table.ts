/** Rows of unpacked layers and of what was derived from stacks of them. */
import type { Database } from "bun:sqlite";
import type { Digest } from "#oci/digest.ts";

export interface LayerRow {
  readonly diffId: Digest;
  /** Folder below `layers/`. */
  readonly id: string;
  readonly size: number;
  /** Directories that the layer's archive does not describe; latin1 for bytes. */
  readonly implied: readonly string[];
}

interface StoredLayer {
  diff_id: Digest;
  id: string;
  size: number;
  implied: string;
}

export const layerTables = `
  CREATE TABLE layers (
    diff_id TEXT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    implied TEXT NOT NULL
  ) STRICT;
  -- Made from the layers of a chain (JSON, bottom first); id is NULL where nothing had to be made.
  CREATE TABLE layer_derivatives (
    chain_id TEXT PRIMARY KEY,
    id TEXT UNIQUE,
    chain TEXT NOT NULL
  ) STRICT;
`;

/** Rows never outlive the folders that they name for longer than a crash takes: see `LayerStore.recover`. */
export class LayerTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  get(diffId: Digest): LayerRow | undefined {
    const row = this.#db.query<StoredLayer, [string]>("SELECT * FROM layers WHERE diff_id = ?").get(diffId);
    return row === null ? undefined : fromStored(row);
  }

  list(): LayerRow[] {
    return this.#db.query<StoredLayer, []>("SELECT * FROM layers").all().map(fromStored);
  }

  put(row: LayerRow): void {
    this.#db
      .query("INSERT INTO layers (diff_id, id, size, implied) VALUES (?, ?, ?, ?)")
      .run(row.diffId, row.id, row.size, JSON.stringify(row.implied));
  }

  /** Removes the layer and what was derived from it; returns the folders that have lost their row. */
  remove(diffId: Digest): string[] {
    return this.#db.transaction(() => {
      const layers = this.#db
        .query<{ id: string }, [string]>("DELETE FROM layers WHERE diff_id = ? RETURNING id")
        .all(diffId);
      const derived = this.#db
        .query<{ id: string | null }, [string]>(
          "DELETE FROM layer_derivatives WHERE EXISTS (SELECT 1 FROM json_each(chain) WHERE value = ?) RETURNING id",
        )
        .all(diffId);
      return [...layers, ...derived].flatMap(({ id }) => (id === null ? [] : [id]));
    })();
  }

  /** Undefined where nothing is known of the chain yet, null where it needs no folder of its own. */
  derivative(chainId: Digest): string | null | undefined {
    return this.#db
      .query<{ id: string | null }, [string]>("SELECT id FROM layer_derivatives WHERE chain_id = ?")
      .get(chainId)?.id;
  }

  putDerivative(chainId: Digest, chain: readonly Digest[], id: string | null): void {
    this.#db
      .query("INSERT OR REPLACE INTO layer_derivatives (chain_id, id, chain) VALUES (?, ?, ?)")
      .run(chainId, id, JSON.stringify(chain));
  }

  removeDerivative(id: string): void {
    this.#db.query("DELETE FROM layer_derivatives WHERE id = ?").run(id);
  }

  /** Folders with a row: of layers, and derived ones. */
  folders(): { layers: Map<string, Digest>; derived: Set<string> } {
    const derived = this.#db
      .query<{ id: string }, []>("SELECT id FROM layer_derivatives WHERE id IS NOT NULL")
      .all()
      .map(({ id }) => id);
    return { layers: new Map(this.list().map(({ id, diffId }) => [id, diffId])), derived: new Set(derived) };
  }
}

function fromStored(row: StoredLayer): LayerRow {
  return { diffId: row.diff_id, id: row.id, size: row.size, implied: JSON.parse(row.implied) as string[] };
}
