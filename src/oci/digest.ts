/** Content addresses: `sha256:<64 hex>`, checked once at the edge and trusted by type afterwards. */
import { createHash } from "node:crypto";
import { EngineError } from "#lib/errors.ts";

/** `algorithm:hex` as of the OCI image-spec ("Digests"); only sha256 and sha512, lower-case hex of full length. */
export type Digest = string & { readonly __brand: "Digest" };

export type DigestAlgorithm = "sha256" | "sha512";

const hexLength: Record<DigestAlgorithm, number> = { sha256: 64, sha512: 128 };

function problem(text: string): string | undefined {
  const colon = text.indexOf(":");
  if (colon <= 0) return "invalid checksum digest format";
  const algorithm = text.slice(0, colon);
  const hex = text.slice(colon + 1);
  if (algorithm !== "sha256" && algorithm !== "sha512") return "unsupported digest algorithm";
  if (hex.length !== hexLength[algorithm]) return "invalid checksum digest length";
  if (!/^[0-9a-f]+$/.test(hex)) return "invalid checksum digest format";
  return undefined;
}

export function isDigest(text: string): text is Digest {
  return problem(text) === undefined;
}

/** Throws kind "invalid" with distribution's wording ("invalid checksum digest length", …). */
export function parseDigest(text: string): Digest {
  const why = problem(text);
  if (why !== undefined) throw new EngineError("invalid", why);
  return text as Digest;
}

export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.slice(0, digest.indexOf(":")) as DigestAlgorithm;
}

/** The part after the colon. */
export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** Twelve hex digits, as Docker shows ids. */
export function shortId(digest: Digest): string {
  return digestHex(digest).slice(0, 12);
}

export function digestOf(content: string | Uint8Array, algorithm: DigestAlgorithm = "sha256"): Digest {
  return `${algorithm}:${createHash(algorithm).update(content).digest("hex")}` as Digest;
}

/** Computes a digest over chunks; `digest()` may be called once. */
export class Digester {
  readonly #algorithm: DigestAlgorithm;
  readonly #hash: ReturnType<typeof createHash>;

  constructor(algorithm: DigestAlgorithm = "sha256") {
    this.#algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  update(chunk: Uint8Array): void {
    this.#hash.update(chunk);
  }

  digest(): Digest {
    return `${this.#algorithm}:${this.#hash.digest("hex")}` as Digest;
  }
}
