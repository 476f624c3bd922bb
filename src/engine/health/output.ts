/** Keeps the beginning of what a probe prints, on whichever stream. */

/** Bytes. */
const LONGEST_OUTPUT = 4096;

export class ProbeOutput {
  readonly #bytes = new Uint8Array(LONGEST_OUTPUT);
  #length = 0;
  #cut = false;

  append(chunk: Uint8Array): void {
    const kept = chunk.subarray(0, LONGEST_OUTPUT - this.#length);
    this.#bytes.set(kept, this.#length);
    this.#length += kept.length;
    this.#cut ||= kept.length < chunk.length;
  }

  /** Ends in `...` where something was left out. */
  text(): string {
    return new TextDecoder().decode(this.#bytes.subarray(0, this.#length)) + (this.#cut ? "..." : "");
  }
}
