/** Watches for the key sequence that leaves a container running (`ctrl-p,ctrl-q`). */

const defaultKeys = "ctrl-p,ctrl-q";
const controlKeys = "@abcdefghijklmnopqrstuvwxyz[\\]^_";

/** Byte values of `ctrl-p,ctrl-q` and its like: single characters, or `ctrl-` with a letter or one of @[\]^_. Throws. */
export function parseDetachKeys(text: string): Uint8Array {
  const keys = (text || defaultKeys).split(",").map((key) => {
    if (key.length === 1) return key.charCodeAt(0);
    const control = /^ctrl-(.)$/.exec(key)?.[1] ?? "";
    const code = control === "" ? -1 : controlKeys.indexOf(control);
    if (code < 0) throw new Error(`invalid detach keys (${text}): Unknown character: '${key}'`);
    return code;
  });
  return Uint8Array.from(keys);
}

/** Holds back what may be the sequence until it is clear. */
export class DetachWatch {
  readonly #keys: Uint8Array;
  #matched = 0;

  constructor(keys: Uint8Array) {
    this.#keys = keys;
  }

  /** What to pass on of `input`, and whether the whole sequence was typed: nothing after it counts. */
  scan(input: Uint8Array): { pass: Uint8Array; detached: boolean } {
    const pass: number[] = [];
    for (const byte of input) {
      if (byte === this.#keys[this.#matched]) {
        if (++this.#matched === this.#keys.length) return { pass: Uint8Array.from(pass), detached: true };
        continue;
      }
      pass.push(...this.#keys.subarray(0, this.#matched));
      this.#matched = byte === this.#keys[0] ? 1 : 0;
      if (this.#matched === 0) pass.push(byte);
    }
    return { pass: Uint8Array.from(pass), detached: false };
  }
}
