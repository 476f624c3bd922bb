/** Unpacks each layer once per diffID into a folder of its own, whiteouts turned into those of overlayfs. */
import type { Database } from "bun:sqlite";
import { mkdirSync, readdirSync, renameSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { EngineError } from "#lib/errors.ts";
import { spreadFolders } from "#linux/files.ts";
import { isCompressed } from "#linux/archive-start.ts";
import { measureTree, unpackArchive } from "#linux/helper-client.ts";
import { chainIds } from "#oci/chain-id.ts";
import { type Digest, digestAlgorithm, digestHex } from "#oci/digest.ts";
import type { ContentStore } from "./content.ts";
import { type ImpliedIn, makeAttributeFolder } from "./implied.ts";
import { type LayerRow, LayerTable } from "./layer-table.ts";
import type { Lease } from "./leases.ts";
import type { Layout } from "./layout.ts";
import type { Trash } from "./trash.ts";
import { SharedWork, Slots } from "./work.ts";

export interface Layer {
  readonly diffId: Digest;
  /** Bytes of the regular files, as Docker counts a layer's size. */
  readonly size: number;
  /** The unpacked folder; read-only to everyone. */
  readonly path: string;
}

/** Where an archive grows beyond all reason. */
export interface UnpackLimits {
  /** Bytes of file content; default 64 GiB. */
  readonly maxBytes?: number;
  /** Default 4 million. */
  readonly maxEntries?: number;
}

/** Lease a layer before asking for it: what nothing holds may be collected at any time. */
export class LayerStore implements Disposable {
  readonly #table: LayerTable;
  readonly #layout: Layout;
  readonly #content: ContentStore;
  readonly #trash: Trash;
  readonly #limits: UnpackLimits;
  readonly #unpacking = new SharedWork<Layer>();
  /** Of blobs unpacked by this process. */
  readonly #diffIds = new Map<Digest, Digest>();
  readonly #slots = new Slots(availableParallelism());

  constructor(db: Database, layout: Layout, content: ContentStore, trash: Trash, limits: UnpackLimits = {}) {
    this.#table = new LayerTable(db);
    this.#layout = layout;
    this.#content = content;
    this.#trash = trash;
    this.#limits = limits;
    mkdirSync(layout.layers, { recursive: true, mode: 0o700 });
    mkdirSync(layout.temporary, { recursive: true, mode: 0o700 });
    spreadFolders(layout.temporary);
  }

  /** The layer, if it is unpacked. */
  get(diffId: Digest): Layer | undefined {
    const row = this.#table.get(diffId);
    return row === undefined ? undefined : this.#layer(row);
  }

  /**
   * Makes sure that the layer is unpacked, from the stored blob (tar; none, gzip, zstd, xz or bzip2, found by its magic).
   *
   * Calls with the same diffID share one run; different ones run side by side, as many as there are cores. Call it for
   * all layers of an image at once. Rejects "invalid" where the content is not `diffId`, the archive is malformed,
   * leaves its root or exceeds a limit; "not-found" without the blob; "unavailable" on a full disk. Leaves nothing then.
   */
  async apply(blob: Digest, diffId: Digest, signal?: AbortSignal): Promise<Layer> {
    await this.#unpacking.settled(`blob ${blob}`); // it may turn out to be the same
    const known = this.get(diffId);
    if (known !== undefined) return known;
    return await this.#unpacking.run(diffId, signal, (stop) => this.#unpack(blob, diffId, stop));
  }

  /**
   * The same where nobody has said what the layer's diffID is; `lease` holds the result. `apply` of the same blob waits
   * for this. Rejects as `apply` does.
   */
  async applyUnknown(blob: Digest, lease: Lease, signal?: AbortSignal): Promise<Layer> {
    for (;;) {
      const diffId = this.#diffIds.get(blob);
      if (diffId !== undefined) lease.add(diffId);
      const layer = diffId === undefined ? undefined : this.get(diffId);
      if (layer !== undefined) return layer;
      await this.#unpacking.run(`blob ${blob}`, signal, (stop) => this.#unpack(blob, undefined, stop));
    }
  }

  /**
   * Makes a folder that was filled otherwise (a container's upper folder, with overlay whiteouts) the layer `diffId`;
   * the folder is moved, or thrown away where the layer exists already. It must be on the file system of the data root.
   */
  async adopt(folder: string, diffId: Digest, signal?: AbortSignal): Promise<Layer> {
    const { content } = await measureTree(folder, signal);
    return this.get(diffId) ?? this.#publish(folder, { diffId, id: digestHex(diffId), size: content, implied: [] });
  }

  /**
   * The folders to stack for an image, top first, from its diffIDs (bottom first). Parent directories that a layer's
   * archive lacks take mode and owner from the layers below: where these differ from the default, a folder of bare
   * directories, kept by chainID, lies above that layer. Rejects "not-found" when a layer is not unpacked.
   */
  async stack(diffIds: readonly Digest[]): Promise<string[]> {
    const rows = diffIds.map((diffId) => this.#row(diffId));
    const folders: string[] = [];
    const below: ImpliedIn[] = [];
    let chain: Digest[] | undefined;
    for (const [index, row] of rows.entries()) {
      const layer = { path: this.#layout.layer(row.id), implied: row.implied };
      folders.unshift(layer.path);
      if (index > 0 && row.implied.some((path) => path !== "")) {
        chain ??= chainIds(diffIds);
        const made = this.#attributes(chain[index] as Digest, diffIds.slice(0, index + 1), layer, below);
        if (made !== undefined) folders.unshift(made);
      }
      below.unshift(layer);
    }
    return folders;
  }

  /** Mode and owner of the image's root directory: of the topmost layer whose archive describes it. */
  rootAttributes(diffIds: readonly Digest[]): { mode: number; uid: number; gid: number } {
    for (const diffId of diffIds.toReversed()) {
      const row = this.#row(diffId);
      if (row.implied.includes("")) continue;
      const { mode, uid, gid } = statSync(this.#layout.layer(row.id));
      return { mode: mode & 0o7777, uid, gid };
    }
    return { mode: 0o755, uid: 0, gid: 0 };
  }

  /** Sum of the layers' sizes, bytes. Throws "not-found". */
  size(diffIds: readonly Digest[]): number {
    return diffIds.reduce((sum, diffId) => sum + this.#row(diffId).size, 0);
  }

  list(): Layer[] {
    return this.#table.list().map((row) => this.#layer(row));
  }

  /** Synchronous, so that nothing can come to need the layer between the decision and its removal. */
  remove(diffId: Digest): void {
    for (const id of this.#table.remove(diffId)) this.#trash.put(this.#layout.layer(id));
  }

  /** At start: folders without a row, rows without a folder and unpacking broken off go. */
  recover(): void {
    for (const name of readdirSync(this.#layout.temporary)) this.#trash.put(join(this.#layout.temporary, name));
    const { layers, derived } = this.#table.folders();
    const present = new Set(readdirSync(this.#layout.layers));
    for (const id of present) if (!layers.has(id) && !derived.has(id)) this.#trash.put(this.#layout.layer(id));
    for (const id of derived) if (!present.has(id)) this.#table.removeDerivative(id);
    for (const [id, diffId] of layers) if (!present.has(id)) this.remove(diffId);
  }

  /** Ends the helpers at work. */
  [Symbol.dispose](): void {
    this.#unpacking.abort(new EngineError("unavailable", "the store is closing"));
  }

  async #unpack(blob: Digest, expected: Digest | undefined, signal: AbortSignal): Promise<Layer> {
    using _slot = await this.#slots.acquire();
    const archive = this.#content.path(blob);
    this.#content.size(blob);
    // The blob's own digest was verified when it was stored.
    const isVerified = !isCompressed(archive) && (expected ?? blob) === blob;
    const target = join(this.#layout.temporary, crypto.randomUUID());
    mkdirSync(target, { mode: 0o755 });
    try {
      const digest = isVerified ? {} : { digest: digestAlgorithm(expected ?? blob) };
      const result = await unpackArchive({ archive, target, mode: "layer", ...digest, ...this.#limits }, signal);
      const diffId = isVerified ? blob : (result.digest as Digest);
      if (expected !== undefined && diffId !== expected) {
        const what = `failed to register layer ${blob}: wrong diff id calculated on extraction`;
        throw new EngineError("invalid", `${what}: expected ${expected}, got ${diffId}`);
      }
      this.#diffIds.set(blob, diffId);
      const { bytes, impliedDirectories } = result;
      const row = { diffId, id: digestHex(diffId), size: bytes, implied: impliedDirectories };
      const known = this.get(diffId);
      if (known === undefined) return this.#publish(target, row);
      this.#trash.put(target);
      return known;
    } catch (error) {
      this.#trash.put(target);
      if (!(error instanceof EngineError)) throw error;
      // Scripts look for these words.
      const why = error.message.includes("ENOSPC") ? "cannot unpack: no space left on device" : error.message;
      throw new EngineError(error.kind, `${why} (layer ${blob})`, { cause: error });
    }
  }

  /** Folder first, row second: a row always has its folder. */
  #publish(folder: string, row: LayerRow): Layer {
    const path = this.#layout.layer(row.id);
    this.#trash.put(path); // left by a crash between the two steps
    renameSync(folder, path);
    this.#table.put(row);
    return this.#layer(row);
  }

  #attributes(
    chainId: Digest,
    chain: readonly Digest[],
    layer: ImpliedIn,
    below: readonly ImpliedIn[],
  ): string | undefined {
    const known = this.#table.derivative(chainId);
    if (known !== undefined) return known === null ? undefined : this.#layout.layer(known);
    const id = `${digestHex(chainId)}-parents`;
    const path = this.#layout.layer(id);
    const made = join(this.#layout.temporary, crypto.randomUUID());
    const isNeeded = makeAttributeFolder(made, layer, below);
    if (isNeeded) {
      this.#trash.put(path);
      renameSync(made, path);
    }
    this.#table.putDerivative(chainId, chain, isNeeded ? id : null);
    return isNeeded ? path : undefined;
  }

  #row(diffId: Digest): LayerRow {
    const row = this.#table.get(diffId);
    if (row === undefined) throw new EngineError("not-found", `layer ${diffId} not found`);
    return row;
  }

  #layer({ diffId, id, size }: LayerRow): Layer {
    return { diffId, size, path: this.#layout.layer(id) };
  }
}
