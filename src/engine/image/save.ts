/** Writes images as a docker-archive that is an OCI layout too: the same bytes for the same images. */
import type { Platform } from "#oci/platform.ts";
import { EngineError } from "#lib/errors.ts";
import { type Digest, digestHex } from "#oci/digest.ts";
import * as types from "#oci/media-type.ts";
import { familiarName, parseReference } from "#oci/reference.ts";
import type { ImageContext } from "./context.ts";
import { announce } from "./context.ts";
import { assertPlatform, isIdOf, resolveImage } from "./resolve.ts";
import type { Image } from "./types.ts";

const BLOCK = 512;

interface Wanted {
  image: Image;
  /** Familiar tags under which it was asked for. */
  tags: string[];
}

/** Rejects "not-found" before the first byte. The images are leased until the stream ends. */
export async function saveImages(
  context: ImageContext,
  names: readonly string[],
  { platforms }: { platforms: Platform[] },
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  if (names.length === 0) throw new EngineError("invalid", "no image was named");
  const wanted = new Map<Digest, Wanted>();
  for (const name of names) {
    const image = resolveImage(context.table, name);
    assertPlatform(image, name, platforms[0]);
    const entry = wanted.get(image.id) ?? { image, tags: [] };
    entry.tags.push(...tagsFor(image, name).filter((tag) => !entry.tags.includes(tag)));
    wanted.set(image.id, entry);
    announce(context, "save", image.id, name, image);
  }
  return archive(context, [...wanted.values()], signal);
}

/** An id saves no tag; a name without a tag saves its `latest`, as it was resolved. */
function tagsFor(image: Image, name: string): string[] {
  if (isIdOf(image, name) && !image.repoTags.includes(name)) return [];
  return image.repoTags.filter((tag) => tag === name || tag === `${name}:latest`);
}

async function* archive(context: ImageContext, wanted: readonly Wanted[], signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const blobs = new Map<Digest, Uint8Array | undefined>();
  const documents = wanted.map(({ image, tags }) => ({ image, tags, ...context.table.documents(image.id) }));
  for (const { image, config, manifest } of documents) {
    blobs.set(image.id, config);
    blobs.set(image.manifestDigest, manifest);
    for (const { digest } of image.manifest.layers) blobs.set(digest, undefined);
  }
  using _ = context.store.leases.create(...blobs.keys());
  yield directory("blobs/");
  yield directory("blobs/sha256/");
  for (const [digest, bytes] of [...blobs].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    signal.throwIfAborted();
    const name = `blobs/sha256/${digestHex(digest)}`;
    if (bytes !== undefined) {
      yield* file(name, bytes);
      continue;
    }
    const size = context.store.content.size(digest);
    yield header(name, size, "0");
    yield* context.store.content.open(digest).stream();
    yield padding(size);
  }
  const index = {
    schemaVersion: 2,
    mediaType: types.ociIndex,
    manifests: documents.flatMap(({ image, tags }) => {
      const descriptor = { mediaType: image.manifest.mediaType, digest: image.manifestDigest, size: image.manifestSize };
      if (tags.length === 0) return [descriptor];
      return tags.map((tag) => ({
        ...descriptor,
        annotations: {
          "io.containerd.image.name": fullName(tag),
          "org.opencontainers.image.ref.name": tag.slice(tag.lastIndexOf(":") + 1),
        },
      }));
    }),
  };
  yield* file("index.json", json(index));
  const manifest = documents.map(({ image, tags }) => ({
    Config: `blobs/sha256/${digestHex(image.id)}`,
    RepoTags: tags.length === 0 ? null : tags,
    Layers: image.manifest.layers.map(({ digest }) => `blobs/sha256/${digestHex(digest)}`),
  }));
  yield* file("manifest.json", json(manifest));
  yield* file("oci-layout", json({ imageLayoutVersion: "1.0.0" }));
  const repositories: Record<string, Record<string, string>> = {};
  for (const { image, tags } of documents) {
    const top = image.manifest.layers.at(-1);
    for (const tag of tags) {
      const reference = parseReference(tag);
      if (top !== undefined) (repositories[familiarName(reference)] ??= {})[reference.tag ?? "latest"] = digestHex(top.digest);
    }
  }
  if (Object.keys(repositories).length > 0) yield* file("repositories", json(repositories));
  yield new Uint8Array(2 * BLOCK);
}

function fullName(tag: string): string {
  const { domain, path, tag: name = "latest" } = parseReference(tag);
  return `${domain}/${path}:${name}`;
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function directory(name: string): Uint8Array {
  return header(name, 0, "5");
}

function* file(name: string, content: Uint8Array): Generator<Uint8Array> {
  yield header(name, content.length, "0");
  yield content;
  yield padding(content.length);
}

function padding(size: number): Uint8Array {
  return new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);
}

/** POSIX ustar, no owner and no time, so that equal images make equal archives. Sizes past 8 GiB in base 256. */
function header(name: string, size: number, type: "0" | "5"): Uint8Array {
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, 100, "latin1");
  block.write(type === "5" ? "0000755\0" : "0000644\0", 100, "latin1");
  block.write("0000000\0", 108, "latin1");
  block.write("0000000\0", 116, "latin1");
  if (size < 0o77777777777) {
    block.write(`${size.toString(8).padStart(11, "0")}\0`, 124, "latin1");
  } else {
    block[124] = 0x80;
    block.writeBigUInt64BE(BigInt(size), 128);
  }
  block.write("00000000000\0", 136, "latin1");
  block.fill(0x20, 148, 156);
  block.write(type, 156, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}
