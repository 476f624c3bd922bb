/** An image archive as it streams in: small files in memory, large ones in the content store, layers unpacking meanwhile. */
import { posix } from "node:path";
import { EngineError } from "#lib/errors.ts";
import { type Digest, digestAlgorithm, digestOf, isDigest } from "#oci/digest.ts";
import { type JsonObject, parseJsonObject } from "#oci/json.ts";
import type { Blob } from "#store/partial.ts";
import type { Lease } from "#store/leases.ts";
import type { Store } from "#store/store.ts";
import { readTar, type TarEntry } from "#store/tar.ts";
import { compressionOf, decompress, isTar, peek } from "./stream.ts";

/** Files up to this size stay in memory until somebody wants them as a blob. */
const smallFile = 64 * 1024;
const memoryLimit = 32 * 1024 * 1024;
const documentLimit = 4 * 1024 * 1024;

type Stored = { readonly bytes: Uint8Array } | { readonly blob: Promise<Blob> };

/** Names are normalised (`./a//b` is `a/b`). Blobs are leased; `settled` must be awaited before the lease ends. */
export class ImageArchive {
  readonly #store: Pick<Store, "content" | "layers">;
  readonly #lease: Lease;
  readonly #signal: AbortSignal;
  readonly #files = new Map<string, Stored>();
  readonly #links = new Map<string, string>();
  readonly #working: Promise<unknown>[] = [];
  #memory = 0;

  constructor(store: Pick<Store, "content" | "layers">, lease: Lease, signal: AbortSignal) {
    this.#store = store;
    this.#lease = lease;
    this.#signal = signal;
  }

  /**
   * Reads the whole archive (gzip, zstd or not). Rejects "invalid" for what is no tar, is cut off, has names that
   * leave it, or has a file below `blobs/` that is not what its name says.
   */
  async read(body: AsyncIterable<Uint8Array>): Promise<void> {
    const { head, stream } = await decompress(body, "the image archive");
    if (head.length === 0) throw new EngineError("invalid", "cannot load an empty archive");
    for await (const entry of readTar(stream)) {
      this.#signal.throwIfAborted();
      const name = normalise(entry.name);
      if (entry.type === "symlink") this.#links.set(name, normalise(posix.join(posix.dirname(name), entry.linkName)));
      else if (entry.type === "hardlink") this.#links.set(name, normalise(entry.linkName));
      else if (entry.type === "file") this.#files.set(name, await this.#keep(name, entry));
    }
  }

  has(name: string): boolean {
    return this.#find(name) !== undefined;
  }

  /** Rejects "invalid" where the archive lacks the file. */
  async bytes(name: string): Promise<Uint8Array> {
    const file = this.#require(name);
    return "bytes" in file ? file.bytes : this.#store.content.read((await file.blob).digest, documentLimit);
  }

  async json(name: string): Promise<JsonObject> {
    return parseJsonObject(await this.bytes(name), `${name} of the archive`);
  }

  /** The file as a blob of the content store. */
  async blob(name: string): Promise<Blob> {
    const file = this.#require(name);
    if ("blob" in file) return await file.blob;
    return await this.#store.content.put(file.bytes, { lease: this.#lease });
  }

  /** What was begun early has ended, well or not. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#working);
  }

  async #keep(name: string, entry: TarEntry): Promise<Stored> {
    const digest = digestOfName(name);
    if (entry.size <= smallFile && this.#memory + entry.size <= memoryLimit) {
      const bytes = await entry.bytes(smallFile);
      this.#memory += bytes.length;
      if (digest !== undefined && digestOf(bytes, digestAlgorithm(digest)) !== digest) {
        throw new EngineError("invalid", `invalid archive: the content of ${name} has the digest ${digestOf(bytes)}`);
      }
      return { bytes };
    }
    if (digest !== undefined) this.#lease.add(digest);
    const { head, rest } = await peek(entry.content(), 512);
    const expected = { size: entry.size, lease: this.#lease, ...(digest !== undefined && { digest }) };
    const { blob } = await this.#store.content.receive(rest, expected, this.#signal);
    const isLayer = isTar(head) || compressionOf(head) !== "none";
    // The rest of the archive is read while the disk takes this in. Whoever needs the layer sees it fail.
    this.#working.push(isLayer ? this.#unpack(blob).catch(() => undefined) : blob);
    return { blob };
  }

  async #unpack(stored: Promise<Blob>): Promise<void> {
    const { digest } = await stored;
    await this.#store.layers.applyUnknown(digest, this.#lease, this.#signal);
  }

  #require(name: string): Stored {
    const file = this.#find(name);
    if (file === undefined) throw new EngineError("invalid", `invalid archive: it has no ${name}`);
    return file;
  }

  #find(name: string): Stored | undefined {
    let path = normalise(name);
    // docker save of old writes a layer that two images share once, and links to it.
    for (let hops = 0; hops < 8; hops++) {
      const target = this.#links.get(path);
      if (target === undefined) return this.#files.get(path);
      path = target;
    }
    throw new EngineError("invalid", `invalid archive: ${name} is a loop of links`);
  }
}

function normalise(name: string): string {
  const path = posix.normalize(name).replace(/\/$/, "");
  if (path === ".." || path.startsWith("../") || path.startsWith("/")) {
    throw new EngineError("invalid", `invalid archive: the path ${JSON.stringify(name)} leaves the archive`);
  }
  return path;
}

/** What `blobs/sha256/<hex>` promises (OCI image-layout). */
function digestOfName(name: string): Digest | undefined {
  const match = /^blobs\/([^/]+)\/([^/]+)$/.exec(name);
  const text = match === null ? "" : `${match[1]}:${match[2]}`;
  return isDigest(text) ? text : undefined;
}
