/** Recognises the key sequence by which a user leaves a container without stopping it. */
import { EngineError } from "#lib/errors.ts";

export const DEFAULT_DETACH_KEYS = "ctrl-p,ctrl-q";

const CONTROL: Readonly<Record<string, number>> = { "@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, _: 31 };

/** Bytes of a sequence such as `ctrl-p,ctrl-q` or `a,b`. Throws "invalid". */
export function parseDetachKeys(text: string): Uint8Array {
  return Uint8Array.from(
    text.split(",").map((key) => {
      if (key.length === 1) return key.charCodeAt(0);
      const control = /^ctrl-([a-z@[\\\]^_])$/.exec(key)?.[1];
      if (control === undefined) {
        throw new EngineError("invalid", `Invalid detach keys (${text}) provided: Unknown character: '${key}'`);
      }
      return CONTROL[control] ?? control.charCodeAt(0) - 96;
    }),
  );
}

/** Splits typed bytes into what goes on to the container and whether the sequence was completed; keeps a started one back. */
export class DetachScanner {
  readonly #keys: Uint8Array;
  #matched = 0;

  constructor(keys: Uint8Array) {
    this.#keys = keys;
  }

  scan(chunk: Uint8Array): { pass: Uint8Array; detached: boolean } {
    if (this.#keys.length === 0) return { pass: chunk, detached: false };
    const pass: number[] = [];
    for (const byte of chunk) {
      if (byte !== this.#keys[this.#matched]) {
        for (let held = 0; held < this.#matched; held++) pass.push(this.#keys[held] ?? 0);
        this.#matched = 0;
      }
      if (byte === this.#keys[this.#matched]) {
        this.#matched++;
        if (this.#matched === this.#keys.length) return { pass: Uint8Array.from(pass), detached: true };
      } else {
        pass.push(byte);
      }
    }
    return { pass: Uint8Array.from(pass), detached: false };
  }
}
