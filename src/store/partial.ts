/** One blob being written: hashed as it grows, published under its digest only when it is what was expected. */
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { EngineError, errorMessage } from "#lib/errors.ts";
import type { Lease } from "./leases.ts";
import { type Digest, digestAlgorithm, type DigestAlgorithm, Digester } from "#oci/digest.ts";

/** What the bytes must turn out to be; what is absent is not checked. `size` is in bytes. */
export interface Expected {
  readonly digest?: Digest;
  readonly size?: number;
  /** Comes to hold the digest before the blob appears: afterwards it could be collected at once. */
  readonly lease?: Lease;
}

export interface Blob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** Errors of the disk as EngineErrors that say which blob could not be stored. */
export function storeError(what: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (error instanceof EngineError || code === undefined) return error;
  const full = code === "ENOSPC" ? "no space left on device" : code === "EDQUOT" ? "disk quota exceeded" : undefined;
  if (full !== undefined) return new EngineError("unavailable", `cannot store ${what}: ${full}`, { cause: error });
  return new EngineError("internal", `cannot store ${what}: ${(error as Error).message}`, { cause: error });
}

/** Whether the message says so in the words that the store uses for it everywhere. */
export function isDiskFull(error: unknown): boolean {
  return /no space left on device|disk quota exceeded/i.test(errorMessage(error));
}

/** A file that is still to become a blob. Not for use by two at once. */
export class PartialBlob {
  readonly #file: string;
  readonly #handle: FileHandle;
  readonly #expected: Expected;
  #digester: Digester;
  #offset = 0;
  #failure: { error: unknown } | undefined;

  private constructor(file: string, handle: FileHandle, expected: Expected) {
    this.#file = file;
    this.#handle = handle;
    this.#expected = expected;
    this.#digester = new Digester(this.#algorithm);
  }

  /** Makes the file if it is absent; hashes what it holds. */
  static async open(file: string, expected: Expected, signal?: AbortSignal): Promise<PartialBlob> {
    const handle = await open(file, constants.O_RDWR | constants.O_CREAT, 0o600);
    const partial = new PartialBlob(file, handle, expected);
    try {
      await partial.#rehash(signal);
      return partial;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Bytes written so far. */
  get offset(): number {
    return this.#offset;
  }

  /** For messages: the expected digest. */
  get name(): string {
    return this.#expected.digest === undefined ? "blob" : `blob ${this.#expected.digest}`;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const { size } = this.#expected;
    if (size !== undefined && this.#offset + chunk.length > size) {
      throw new EngineError("invalid", `${this.name} is larger than the ${size} bytes announced`);
    }
    // The disk works while the digest is computed.
    const written = this.#writeAll(chunk);
    this.#digester.update(chunk);
    try {
      await written;
    } catch (error) {
      this.#failure = { error }; // digest and file are no longer of the same bytes
      throw error;
    }
  }

  /** Forgets all bytes. */
  async restart(): Promise<void> {
    await this.#handle.truncate(0);
    this.#offset = 0;
    this.#digester = new Digester(this.#algorithm);
  }

  /** Checks, makes durable and moves to `place(digest)`. Ends the writing; on failure the file is still there. */
  async publish(place: (digest: Digest) => string): Promise<Blob> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const { size = this.#offset } = this.#expected;
    const digest = this.#digester.digest();
    if (this.#offset !== size) {
      throw new EngineError("invalid", `${this.name} is cut off: ${this.#offset} of ${size} bytes`);
    }
    if (this.#expected.digest !== undefined && digest !== this.#expected.digest) {
      const why = `its content has digest ${digest}`;
      throw new EngineError("invalid", `content digest mismatch: expected ${this.#expected.digest}, but ${why}`);
    }
    this.#expected.lease?.add(digest);
    await this.#handle.sync();
    const path = place(digest);
    const folder = dirname(path);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await rename(this.#file, path);
    await syncFolder(folder);
    return { digest, size };
  }

  /** Leaves the file for another time, if it is worth it. */
  async close(): Promise<void> {
    if (this.#offset === 0 || this.#failure !== undefined) await this.discard();
    else await this.#handle.close();
  }

  async discard(): Promise<void> {
    await this.#handle.close();
    await rm(this.#file, { force: true });
  }

  get #algorithm(): DigestAlgorithm {
    return this.#expected.digest === undefined ? "sha256" : digestAlgorithm(this.#expected.digest);
  }

  async #writeAll(chunk: Uint8Array): Promise<void> {
    for (let done = 0; done < chunk.length;) {
      const { bytesWritten } = await this.#handle.write(chunk, done, chunk.length - done, this.#offset);
      done += bytesWritten;
      this.#offset += bytesWritten;
    }
  }

  async #rehash(signal?: AbortSignal): Promise<void> {
    const buffer = Buffer.alloc(1024 * 1024);
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, this.#offset);
      if (bytesRead === 0) return;
      this.#digester.update(buffer.subarray(0, bytesRead));
      this.#offset += bytesRead;
    }
  }
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
