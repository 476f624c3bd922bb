/** `save`: writes images as one archive that is a docker-archive and an OCI layout at once. */
import { EngineError } from "#lib/errors.ts";
import { type Digest, digestHex } from "#oci/digest.ts";
import * as types from "#oci/media-type.ts";
import type { Platform } from "#oci/platform.ts";
import {
  defaultTag,
  familiarName,
  familiarReference,
  formatReference,
  parseReference,
  type Reference,
  repositoryName,
} from "#oci/reference.ts";
import { type TarInput, writeTar } from "#store/tar-writer.ts";
import { blobPath } from "./archive-content.ts";
import { announce, type ImageContext, partsOf } from "./context.ts";
import { isIdOf, assertPlatform, resolveImage } from "./resolve.ts";
import type { Image } from "./types.ts";

interface Saved {
  readonly image: Image;
  readonly references: Map<string, Reference>;
}

/**
 * The same bytes for the same images and names. Throws "not-found" at once; the stream holds what it sends, and
 * rejects "not-found" where an image went away before it was read.
 */
export function saveImages(
  context: ImageContext,
  names: readonly string[],
  { platforms }: { readonly platforms: readonly Platform[] },
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  if (platforms.length > 1) throw new EngineError("invalid", "multiple platform parameters not supported");
  const saved = selectImages(context, names);
  for (const { image } of saved) assertPlatform(image, image.id, platforms[0]);
  const files = describe(context, saved);
  return stream(context, saved, files, signal);
}

async function* stream(
  context: ImageContext,
  saved: readonly Saved[],
  files: Map<string, Uint8Array | Digest>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  using _ = context.store.leases.create(...saved.flatMap(({ image }) => partsOf(image).blobs));
  for await (const chunk of writeTar(entries(context, files))) {
    signal.throwIfAborted();
    yield chunk;
  }
  for (const { image } of saved) announce(context, "save", image.id, image.id, image);
}

/** A repository without a tag means all of its tags; an id saves the image without names. */
function selectImages(context: ImageContext, names: readonly string[]): Saved[] {
  const byId = new Map<Digest, Saved>();
  const select = (image: Image, reference?: Reference): void => {
    const entry = byId.get(image.id) ?? { image, references: new Map<string, Reference>() };
    if (reference !== undefined) entry.references.set(formatReference(reference), reference);
    byId.set(image.id, entry);
  };
  for (const name of names) {
    const image = /^[^@]*$/.test(name) ? undefined : resolveImage(context.table, name);
    const reference = image === undefined && !/^(sha256:)?[0-9a-f]{64}$/.test(name) ? parseReference(name) : undefined;
    const tags =
      reference === undefined || reference.tag !== undefined ? [] : context.table.tagsOf(repositoryName(reference));
    if (tags.length > 0) {
      for (const tag of tags) select(resolveImage(context.table, formatReference(tag)), tag);
      continue;
    }
    const found = image ?? resolveImage(context.table, name);
    select(
      found,
      reference === undefined || isIdOf(found, name) ? undefined : { ...reference, tag: reference.tag ?? defaultTag },
    );
  }
  return [...byId.values()];
}

/** The files by path: documents as bytes, layers as the digest of their blob. */
function describe(context: ImageContext, saved: readonly Saved[]): Map<string, Uint8Array | Digest> {
  const files = new Map<string, Uint8Array | Digest>();
  const index: object[] = [];
  const archive: object[] = [];
  const repositories: Record<string, Record<string, string>> = {};
  for (const { image, references } of saved) {
    const { config, manifest } = context.table.documents(image.id);
    files.set(blobPath(image.id), config);
    files.set(blobPath(image.manifestDigest), manifest);
    const layers = image.manifest.layers.map(({ digest }) => digest);
    for (const layer of layers) files.set(blobPath(layer), layer);
    const descriptor = { mediaType: image.manifest.mediaType, digest: image.manifestDigest, size: manifest.length };
    if (references.size === 0) index.push(descriptor);
    for (const [full, reference] of references) {
      const annotations = {
        "io.containerd.image.name": full,
        "org.opencontainers.image.ref.name": reference.tag ?? defaultTag,
      };
      index.push({ ...descriptor, annotations });
      const top = layers.at(-1);
      if (top !== undefined)
        (repositories[familiarName(reference)] ??= {})[reference.tag ?? defaultTag] = digestHex(top);
    }
    archive.push({
      Config: blobPath(image.id),
      RepoTags: references.size === 0 ? null : [...references.values()].map(familiarReference),
      Layers: layers.map(blobPath),
    });
  }
  const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
  files.set("index.json", encode({ schemaVersion: 2, mediaType: types.ociIndex, manifests: index }));
  files.set("manifest.json", encode(archive));
  files.set("oci-layout", encode({ imageLayoutVersion: "1.0.0" }));
  if (Object.keys(repositories).length > 0) files.set("repositories", encode(repositories));
  return files;
}

/** Sorted by path; a directory comes before what is in it. */
function* entries(context: ImageContext, files: ReadonlyMap<string, Uint8Array | Digest>): Generator<TarInput> {
  yield { name: "blobs/", type: "directory" };
  yield { name: "blobs/sha256/", type: "directory" };
  for (const [name, content] of [...files].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (typeof content !== "string") yield { name, size: content.length, content };
    else
      yield { name, size: context.store.content.size(content), content: context.store.content.open(content).stream() };
  }
}
