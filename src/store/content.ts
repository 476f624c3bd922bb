/** Keeps blobs by digest on disk: nothing appears under its digest before it was verified and made durable. */
import { mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "#lib/errors.ts";
import { KeyedLocks } from "#lib/lock.ts";
import { type Digest, digestAlgorithm, digestHex, digestOf, isDigest } from "#oci/digest.ts";
import type { Layout } from "./layout.ts";
import { type Blob, type Expected, PartialBlob, storeError } from "./partial.ts";
import type { Trash } from "./trash.ts";

/** Partial downloads that nobody came back for are given up after an hour. */
const partialLifetime = 60 * 60 * 1000;

/** End with exactly one of `commit`, `discard` or `close`; `await using` closes what was not ended. */
export interface ContentWriter extends AsyncDisposable {
  /** Bytes already there. */
  readonly offset: number;
  /** Rejects "invalid" when more than the expected size would be written. */
  write(chunk: Uint8Array): Promise<void>;
  /** Verifies, syncs and publishes the blob. A mismatch discards the partial and rejects "invalid". */
  commit(): Promise<Blob>;
  /** Forgets all bytes, so that writing starts again at 0 (a server that ignores `Range`). */
  restart(): Promise<void>;
  /** Removes the partial. */
  discard(): Promise<void>;
  /** Keeps the partial for a later attempt (gone with the next start of the daemon, or an hour later). */
  close(): Promise<void>;
}

/**
 * Blobs under `blobs/<algorithm>/<hex>`. The files are the truth: there is no row to disagree with.
 *
 * A blob that no root and no lease names may be removed at any time: lease first, then `has`, then use.
 * Rejects "unavailable" on a full disk; nothing is left of what could not be finished.
 */
export class ContentStore {
  readonly #layout: Layout;
  readonly #trash: Trash;
  readonly #ingests = new Map<Digest, Promise<unknown>>();
  readonly #writers = new KeyedLocks();
  readonly #openPartials = new Set<string>();

  constructor(layout: Layout, trash: Trash) {
    this.#layout = layout;
    this.#trash = trash;
    mkdirSync(layout.blobs, { recursive: true, mode: 0o700 });
    mkdirSync(layout.ingest, { recursive: true, mode: 0o700 });
  }

  has(digest: Digest): boolean {
    return this.#sizeOf(digest) !== undefined;
  }

  /** Bytes of the blob. Throws kind "not-found". */
  size(digest: Digest): number {
    const size = this.#sizeOf(digest);
    if (size === undefined) throw new EngineError("not-found", `blob ${digest} not found`);
    return size;
  }

  /** Where the blob is; it need not exist. */
  path(digest: Digest): string {
    return this.#layout.blob(digestAlgorithm(digest), digestHex(digest));
  }

  /** The blob's bytes as a lazy file. Throws kind "not-found". */
  open(digest: Digest): Bun.BunFile {
    this.size(digest);
    return Bun.file(this.path(digest));
  }

  /** The whole blob, for manifests and configs. Rejects "not-found", or "invalid" where it is longer than `limit` bytes (4 MiB). */
  async read(digest: Digest, limit = 4 * 1024 * 1024): Promise<Uint8Array> {
    const size = this.size(digest);
    if (size > limit) throw new EngineError("invalid", `blob ${digest} has ${size} bytes: more than ${limit}`);
    return await this.open(digest).bytes();
  }

  /** Stores bytes already in memory, by their sha256 where no digest is expected. */
  async put(bytes: Uint8Array, expected: Expected = {}): Promise<Blob> {
    const digest = expected.digest ?? digestOf(bytes);
    return await this.ingest(once(bytes), { size: bytes.length, ...expected, digest });
  }

  /**
   * Stores a stream, hashing while it writes; leaves nothing when it fails.
   *
   * Without `expected.lease` or one held already, the blob may be collected before the caller hears of it.
   *
   * With `expected.digest` already stored, or being stored by somebody else, `source` is closed unread and the result
   * is theirs. Rejects "invalid" naming both digests where the content differs.
   */
  async ingest(source: AsyncIterable<Uint8Array>, expected: Expected = {}, signal?: AbortSignal): Promise<Blob> {
    return await (
      await this.receive(source, expected, signal)
    ).blob;
  }

  /** As `ingest`, but resolves as soon as `source` is read, and leaves it to the caller to wait for the disk. */
  async receive(
    source: AsyncIterable<Uint8Array>,
    expected: Expected = {},
    signal?: AbortSignal,
  ): Promise<{ readonly blob: Promise<Blob> }> {
    const { digest } = expected;
    if (digest === undefined) return await this.#receive(source, expected, signal);
    expected.lease?.add(digest);
    for (let other = this.#ingests.get(digest); other !== undefined; other = this.#ingests.get(digest)) {
      await other.catch(() => {}); // then it is our turn
    }
    if (this.has(digest)) {
      await source[Symbol.asyncIterator]().return?.();
      return { blob: Promise.resolve(this.#known(digest, expected)) };
    }
    const received = this.#receive(source, expected, signal);
    const whole = received.then(({ blob }) => blob).finally(() => this.#ingests.delete(digest));
    this.#ingests.set(digest, whole);
    whole.catch(() => {}); // told to those who wait, if any are left
    return await received;
  }

  /**
   * Opens the partial download named `ref` (any text; the blob's digest is a good one), made if absent. What earlier
   * attempts wrote is rehashed first: go on at `offset`. One writer per ref: a second caller waits for the first.
   */
  async writer(ref: string, expected: Expected, signal?: AbortSignal): Promise<ContentWriter> {
    const name = digestHex(digestOf(ref));
    const held = await this.#writers.acquire(name);
    try {
      signal?.throwIfAborted();
      const partial = await PartialBlob.open(join(this.#layout.ingest, name), expected, signal);
      this.#openPartials.add(name);
      return new Writer(
        partial,
        (digest) => this.path(digest),
        () => {
          this.#openPartials.delete(name);
          held[Symbol.dispose]();
        },
      );
    } catch (error) {
      held[Symbol.dispose]();
      throw storeError(`blob ${expected.digest ?? ref}`, error);
    }
  }

  /** Every blob at this moment. */
  list(): Blob[] {
    return readdirSync(this.#layout.blobs).flatMap((algorithm) =>
      readdirSync(join(this.#layout.blobs, algorithm)).flatMap((hex) => {
        const digest = `${algorithm}:${hex}`;
        const size = isDigest(digest) ? this.#sizeOf(digest) : undefined;
        return isDigest(digest) && size !== undefined ? [{ digest, size }] : [];
      }),
    );
  }

  /** Synchronous, so that nothing can come to need the blob between the decision and its removal. */
  remove(digest: Digest): void {
    this.#trash.put(this.path(digest));
  }

  /** At start: nothing is being written. */
  recover(): void {
    for (const name of readdirSync(this.#layout.ingest)) this.#trash.put(join(this.#layout.ingest, name));
  }

  /** Gives up partial downloads that nobody has touched for an hour. */
  removeStalePartials(now = Date.now()): void {
    for (const name of readdirSync(this.#layout.ingest)) {
      const file = join(this.#layout.ingest, name);
      const stat = statSync(file, { throwIfNoEntry: false });
      if (stat === undefined || this.#openPartials.has(name)) continue;
      if (now - stat.mtimeMs > partialLifetime) this.#trash.put(file);
    }
  }

  async #receive(
    source: AsyncIterable<Uint8Array>,
    expected: Expected,
    signal?: AbortSignal,
  ): Promise<{ readonly blob: Promise<Blob> }> {
    const name = crypto.randomUUID();
    const what = expected.digest === undefined ? "blob" : `blob ${expected.digest}`;
    this.#openPartials.add(name);
    let partial: PartialBlob | undefined;
    const end = async (): Promise<void> => {
      await partial?.discard();
      this.#openPartials.delete(name);
    };
    try {
      partial = await PartialBlob.open(join(this.#layout.ingest, name), expected);
      for await (const chunk of source) {
        signal?.throwIfAborted();
        await partial.write(chunk);
      }
    } catch (error) {
      await end();
      throw storeError(what, error);
    }
    const blob = this.#publish(partial, what, end);
    blob.catch(() => {}); // told to whoever awaits it
    return { blob };
  }

  async #publish(partial: PartialBlob, what: string, end: () => Promise<void>): Promise<Blob> {
    try {
      return await partial.publish((digest) => this.path(digest));
    } catch (error) {
      throw storeError(what, error);
    } finally {
      await end();
    }
  }

  #known(digest: Digest, expected: Expected): Blob {
    const size = this.size(digest);
    if (expected.size !== undefined && expected.size !== size) {
      throw new EngineError("invalid", `blob ${digest} has ${size} bytes, not the ${expected.size} announced`);
    }
    return { digest, size };
  }

  #sizeOf(digest: Digest): number | undefined {
    return statSync(this.path(digest), { throwIfNoEntry: false })?.size;
  }
}

class Writer implements ContentWriter {
  readonly #partial: PartialBlob;
  readonly #place: (digest: Digest) => string;
  readonly #release: () => void;
  #ended = false;

  constructor(partial: PartialBlob, place: (digest: Digest) => string, release: () => void) {
    this.#partial = partial;
    this.#place = place;
    this.#release = release;
  }

  get offset(): number {
    return this.#partial.offset;
  }

  async write(chunk: Uint8Array): Promise<void> {
    await this.#translate(this.#partial.write(chunk));
  }

  async restart(): Promise<void> {
    await this.#translate(this.#partial.restart());
  }

  async commit(): Promise<Blob> {
    try {
      return await this.#translate(this.#partial.publish(this.#place));
    } finally {
      await this.discard();
    }
  }

  async discard(): Promise<void> {
    await this.#end(() => this.#partial.discard());
  }

  async close(): Promise<void> {
    await this.#end(() => this.#partial.close());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #end(how: () => Promise<void>): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    try {
      await how();
    } finally {
      this.#release();
    }
  }

  async #translate<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw storeError(this.#partial.name, error);
    }
  }
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
