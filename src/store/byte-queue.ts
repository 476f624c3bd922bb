/** Hands out a stream of chunks in the pieces that a reader wants. */

/** Takes over `source` and closes it when disposed. For one reader. */
export class ByteQueue implements AsyncDisposable {
  readonly #source: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array();

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Exactly `size` bytes, fewer only at the end. The bytes are copied where they span chunks. */
  async take(size: number): Promise<Uint8Array> {
    if (this.#chunk.length >= size) return this.#cut(size);
    const parts: Uint8Array[] = [];
    for (let missing = size; missing > 0;) {
      const part = await this.some(missing);
      if (part === undefined) break;
      parts.push(part);
      missing -= part.length;
    }
    return Buffer.concat(parts);
  }

  /** What is at hand, at most `limit` bytes and at least one; undefined at the end. Not copied. */
  async some(limit: number): Promise<Uint8Array | undefined> {
    while (this.#chunk.length === 0) {
      const next = await this.#source.next();
      if (next.done === true) return undefined;
      this.#chunk = next.value;
    }
    return this.#cut(Math.min(limit, this.#chunk.length));
  }

  async drain(): Promise<void> {
    while ((await this.some(Number.MAX_SAFE_INTEGER)) !== undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source.return?.();
  }

  #cut(size: number): Uint8Array {
    const piece = this.#chunk.subarray(0, size);
    this.#chunk = this.#chunk.subarray(size);
    return piece;
  }
}
