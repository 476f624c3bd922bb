/** A store over a temporary data root, for the tests of its parts. */
import type { Database } from "bun:sqlite";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "#lib/log.ts";
import type { Digest } from "#oci/digest.ts";
import { openDatabase } from "./database.ts";
import { Layout } from "./layout.ts";
import type { UnpackLimits } from "./layers.ts";
import { openStore, type Store, storeSchema } from "./store.ts";
import { type TarInput, writeTar } from "./tar-writer.ts";

export interface TestStore extends AsyncDisposable {
  readonly store: Store;
  readonly layout: Layout;
  readonly db: Database;
  /** Opens it again, as the next start of the daemon would. */
  reopen(): Promise<Store>;
  /** Stores and unpacks a layer of these entries. */
  layer(...entries: readonly TarInput[]): Promise<Digest>;
  /** Names below the data root that stay in a store at rest only where something refers to them. */
  leftovers(): string[];
}

export function openTestStore(root?: string, limits?: UnpackLimits): TestStore {
  const folder = root ?? mkdtempSync(join(tmpdir(), "berth-store-"));
  const layout = new Layout(join(folder, "data"), join(folder, "run"));
  const db = openDatabase(layout.database, [storeSchema]);
  let store = openStore(db, layout, silentLogger, limits);
  return {
    get store() {
      return store;
    },
    layout,
    db,
    async reopen() {
      await store[Symbol.asyncDispose]();
      store = openStore(db, layout, silentLogger, limits);
      return store;
    },
    async layer(...entries) {
      const { digest } = await store.content.ingest(writeTar(entries));
      await store.layers.apply(digest, digest);
      return digest;
    },
    leftovers() {
      return [layout.ingest, layout.temporary, layout.trash].flatMap((path) => readdirSync(path));
    },
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      db.close();
      if (root === undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}

export async function* chunks(...pieces: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array, void> {
  for (const piece of pieces) yield typeof piece === "string" ? Buffer.from(piece) : piece;
}

export async function bytesOf(source: AsyncIterable<Uint8Array>): Promise<Buffer<ArrayBuffer>> {
  return Buffer.concat(await Array.fromAsync(source));
}
