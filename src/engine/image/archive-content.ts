/** Understands the three kinds of image archive: docker-archive, its older form without manifest.json, and OCI layout. */
import { EngineError } from "#lib/errors.ts";
import { type Digest, digestHex, digestAlgorithm } from "#oci/digest.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { isRecord, optionalString, stringsOf } from "#oci/json.ts";
import { isAttestation, type Manifest, parseManifest } from "#oci/manifest.ts";
import { choosePlatform, formatPlatform, hostPlatform, type Platform } from "#oci/platform.ts";
import { parseReference, type Reference, withDefaultTag } from "#oci/reference.ts";
import type { ImageArchive } from "./archive.ts";
import { type LegacyChain, legacyImages } from "./archive-legacy.ts";

/** An image of an archive; `layers` name files of it, bottom first. */
export interface ArchivedImage {
  readonly config: Uint8Array;
  readonly layers: readonly string[];
  /** Absent where the archive has none: one is made then. */
  readonly manifest?: { readonly document: Manifest; readonly bytes: Uint8Array };
  readonly references: readonly Reference[];
  /** Set where the config has to be made from documents of Docker's first format. */
  readonly legacy?: LegacyChain;
}

/** Rejects "invalid" for an archive of none of the kinds, "not-found" where an index has nothing for the platform. */
export async function describeArchive(archive: ImageArchive, platform: Platform | undefined): Promise<ArchivedImage[]> {
  if (archive.has("manifest.json")) return dockerImages(archive);
  if (archive.has("index.json")) return ociImages(archive, platform);
  if (archive.has("repositories")) return legacyImages(archive);
  throw new EngineError("invalid", "invalid archive: does not contain a manifest.json");
}

/** Docker image-spec v1.2, "Combined Image JSON + Filesystem Changeset Format". */
async function dockerImages(archive: ImageArchive): Promise<ArchivedImage[]> {
  let list: unknown;
  try {
    list = JSON.parse(new TextDecoder().decode(await archive.bytes("manifest.json")));
  } catch (cause) {
    if (cause instanceof EngineError) throw cause;
    throw new EngineError("invalid", "cannot read manifest.json of the archive: it is not valid JSON", { cause });
  }
  if (!Array.isArray(list)) throw new EngineError("invalid", "invalid archive: manifest.json is not a list");
  const images: ArchivedImage[] = [];
  for (const item of list) {
    const config = isRecord(item) ? optionalString(item["Config"]) : undefined;
    if (!isRecord(item) || config === undefined) {
      throw new EngineError("invalid", "invalid archive: an image of manifest.json has no Config");
    }
    images.push({
      config: await archive.bytes(config),
      layers: stringsOf(item["Layers"]) ?? [],
      references: (stringsOf(item["RepoTags"]) ?? []).map((name) => withDefaultTag(parseReference(name))),
    });
  }
  return images;
}

/** OCI image-spec, "Image Layout". */
async function ociImages(archive: ImageArchive, platform: Platform | undefined): Promise<ArchivedImage[]> {
  const index = parseManifest(await archive.bytes("index.json"));
  if (index.kind !== "index") throw new EngineError("invalid", "invalid archive: index.json is not an index");
  const byManifest = new Map<Digest, ArchivedImage>();
  for (const descriptor of index.manifests) {
    if (isAttestation(descriptor)) continue;
    const { digest, document, bytes } = await descend(archive, descriptor, platform);
    const name = referenceOf(descriptor);
    const references = [...(byManifest.get(digest)?.references ?? []), ...(name === undefined ? [] : [name])];
    byManifest.set(digest, {
      config: await archive.bytes(blobPath(document.config.digest)),
      layers: document.layers.map((layer) => blobPath(layer.digest)),
      manifest: { document, bytes },
      references,
    });
  }
  return [...byManifest.values()];
}

async function descend(
  archive: ImageArchive,
  start: Descriptor,
  platform: Platform | undefined,
): Promise<{ digest: Digest; document: Manifest; bytes: Uint8Array }> {
  let descriptor = start;
  for (let depth = 0; depth < 4; depth++) {
    const bytes = await archive.bytes(blobPath(descriptor.digest));
    const document = parseManifest(bytes, descriptor.mediaType);
    if (document.kind === "manifest") return { digest: descriptor.digest, document, bytes };
    const images = document.manifests.filter((item) => !isAttestation(item) && archive.has(blobPath(item.digest)));
    const wanted = platform ?? hostPlatform();
    const chosen =
      choosePlatform(wanted, images) ?? (platform === undefined && images.length === 1 ? images[0] : undefined);
    if (chosen === undefined) {
      throw new EngineError(
        "not-found",
        `no matching manifest for ${formatPlatform(wanted)} in the manifest list entries`,
      );
    }
    descriptor = chosen;
  }
  throw new EngineError("invalid", "invalid archive: its indexes are nested too deep");
}

export function blobPath(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}

/**
 * The name of an image in an OCI layout: containerd's annotation is a full one; the specification's may be one too
 * (skopeo) or only a tag, which says nothing about the repository.
 */
function referenceOf({ annotations }: Descriptor): Reference | undefined {
  const full = annotations?.["io.containerd.image.name"];
  if (full !== undefined) return withDefaultTag(parseReference(full));
  const name = annotations?.["org.opencontainers.image.ref.name"];
  if (name === undefined || !/[:/]/.test(name)) return undefined;
  return withDefaultTag(parseReference(name));
}
