/** Keeps what an operation in flight uses from the garbage collector. */
import type { Digest } from "#oci/digest.ts";

/**
 * Holds digests (blobs and diffIDs alike) until disposed; dies with the daemon, as the operation does.
 * `using lease = leases.create()`, then `add` before you ask whether something exists.
 */
export interface Lease extends Disposable {
  add(...digests: Digest[]): void;
}

export class Leases {
  readonly #held = new Map<Digest, number>();

  create(...digests: Digest[]): Lease {
    const mine = new Set<Digest>();
    const add = (...more: Digest[]) => {
      for (const digest of more) {
        if (mine.has(digest)) continue;
        mine.add(digest);
        this.#held.set(digest, (this.#held.get(digest) ?? 0) + 1);
      }
    };
    add(...digests);
    return {
      add,
      [Symbol.dispose]: () => {
        for (const digest of mine) this.#release(digest);
        mine.clear();
      },
    };
  }

  holds(digest: Digest): boolean {
    return this.#held.has(digest);
  }

  #release(digest: Digest): void {
    const users = (this.#held.get(digest) ?? 1) - 1;
    if (users === 0) this.#held.delete(digest);
    else this.#held.set(digest, users);
  }
}
