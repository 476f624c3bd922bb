/** Keeps what an operation in flight uses from the garbage collector. */
import { EngineError } from "#lib/errors.ts";
import type { Digest } from "#oci/digest.ts";

/**
 * Holds digests (blobs and diffIDs alike) until disposed; dies with the daemon, as the operation does.
 * `using lease = leases.create()`, then `add` before you ask whether something exists.
 */
export interface Lease extends Disposable {
  add(...digests: Digest[]): void;
}

export class Leases {
  create(..._digests: Digest[]): Lease {
    throw new EngineError("not-implemented", "");
  }

  holds(_digest: Digest): boolean {
    throw new EngineError("not-implemented", "");
  }
}
