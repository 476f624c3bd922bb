/** Finds the one image that a reference and a platform mean, through indexes. */
import { EngineError } from "#lib/errors.ts";
import type { Digest } from "#oci/digest.ts";
import { isAttestation, type Manifest, parseManifest } from "#oci/manifest.ts";
import { isImageConfig } from "#oci/media-type.ts";
import { choosePlatform, formatPlatform, type Platform } from "#oci/platform.ts";
import type { Repository } from "./repository.ts";

export interface ResolvedImage {
  readonly manifest: Manifest;
  /** The manifest as served: its bytes are what its digest names. */
  readonly bytes: Uint8Array;
  /** What the tag points at: the index where there is one. Docker shows this one. */
  readonly digest: Digest;
}

const maximumNesting = 4;

/**
 * Fetches the manifest of `tagOrDigest`. Rejects "not-found" where an index has nothing for `platform`,
 * "invalid" for what is no image (Helm charts and the like).
 */
export async function resolveImage(
  repository: Repository,
  tagOrDigest: string,
  platform: Platform,
  signal?: AbortSignal,
): Promise<ResolvedImage> {
  const first = await repository.manifest(tagOrDigest, signal);
  let fetched = first;
  for (let depth = 0; depth < maximumNesting; depth++) {
    const document = parseManifest(fetched.bytes, fetched.mediaType);
    if (document.kind === "manifest") {
      const { mediaType } = document.config;
      // Old pushers wrote application/octet-stream.
      if (mediaType !== "" && mediaType !== "application/octet-stream" && !isImageConfig(mediaType)) {
        throw new EngineError("invalid", `invalid mediaType: ${mediaType}: ${tagOrDigest} is an artifact and no image`);
      }
      return { manifest: document, bytes: fetched.bytes, digest: first.digest };
    }
    const images = document.manifests.filter((descriptor) => !isAttestation(descriptor));
    // An index without platforms, as some tools write, can only mean its sole image.
    const only = images.length === 1 && images[0]?.platform === undefined ? images[0] : undefined;
    const chosen = choosePlatform(platform, images) ?? only;
    if (chosen === undefined) {
      throw new EngineError(
        "not-found",
        `no matching manifest for ${formatPlatform(platform)} in the manifest list entries`,
      );
    }
    fetched = await repository.manifest(chosen.digest, signal);
  }
  throw new EngineError("invalid", `${tagOrDigest} is an index nested more than ${maximumNesting} deep`);
}
