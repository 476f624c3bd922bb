/** Reads images out of a docker-archive or an OCI layout. */
import type { Platform } from "#oci/platform.ts";
import { EngineError } from "#lib/errors.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { type Digest, isDigest, shortId } from "#oci/digest.ts";
import { parseImageConfig } from "#oci/image-config.ts";
import { isRecord, stringsOf } from "#oci/json.ts";
import { isAttestation, parseManifest } from "#oci/manifest.ts";
import { hostPlatform, choosePlatform } from "#oci/platform.ts";
import { familiarReference, parseReference, type Reference, withDefaultTag } from "#oci/reference.ts";
import type { Lease } from "#store/leases.ts";
import { readTar, type TarEntry } from "#store/tar.ts";
import { announce, type ImageContext } from "./context.ts";
import { buildManifest } from "./create.ts";
import { layerProgress } from "./progress.ts";
import { decompress, isTar, layerMediaType } from "./stream.ts";
import type { Progress } from "./types.ts";

export interface LoadOptions {
  quiet: boolean;
  platforms: Platform[];
}

/** What an archive holds, by entry name: documents in memory, everything else in the content store. */
class Archive {
  readonly #context: ImageContext;
  readonly #documents = new Map<string, Uint8Array>();
  readonly #blobs = new Map<string, Digest>();
  readonly #links = new Map<string, string>();

  constructor(context: ImageContext) {
    this.#context = context;
  }

  async take(entry: TarEntry, lease: Lease, signal: AbortSignal): Promise<void> {
    const name = cleanName(entry.name);
    if (entry.type === "symlink" || entry.type === "hardlink") {
      const base = entry.type === "symlink" && name.includes("/") ? name.slice(0, name.lastIndexOf("/")) : "";
      this.#links.set(name, cleanName(resolveLink(base, entry.linkName)));
    } else if (entry.type === "file") {
      if (isDocument(name)) this.#documents.set(name, await entry.bytes());
      else this.#blobs.set(name, await this.#ingest(name, entry, lease, signal));
    }
  }

  has(name: string): boolean {
    return this.#documents.has(name) || this.#blobs.has(this.#follow(name));
  }

  async bytes(name: string): Promise<Uint8Array> {
    const followed = this.#follow(cleanName(name));
    const document = this.#documents.get(followed);
    if (document !== undefined) return document;
    return this.#context.store.content.read(this.blob(name));
  }

  /** Digest of the stored entry. Throws "invalid" where the archive lacks it. */
  blob(name: string): Digest {
    const digest = this.#blobs.get(this.#follow(cleanName(name)));
    if (digest === undefined) throw new EngineError("invalid", `invalid archive: it has no ${name}`);
    return digest;
  }

  async #ingest(name: string, entry: TarEntry, lease: Lease, signal: AbortSignal): Promise<Digest> {
    const [, algorithm, hex] = /^blobs\/(sha256|sha512)\/([0-9a-f]+)$/.exec(name) ?? [];
    const named = `${algorithm}:${hex}`;
    const expected = isDigest(named) ? { digest: named, size: entry.size } : { size: entry.size };
    if (isDigest(named)) lease.add(named);
    const { digest } = await this.#context.store.content.ingest(entry.content(), expected, signal);
    lease.add(digest);
    return digest;
  }

  #follow(name: string): string {
    let at = name;
    for (let hops = 0; hops < 8; hops++) at = this.#links.get(at) ?? at;
    return at;
  }
}

/** Progress ends with one `Loaded image: x` for each reference. Rejects "invalid" for what is no image archive. */
export async function loadImages(
  context: ImageContext,
  body: AsyncIterable<Uint8Array>,
  options: LoadOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  using lease = context.store.leases.create();
  const archive = new Archive(context);
  const { head, stream } = await decompress(body, "the image archive");
  if (!isTar(head)) throw new EngineError("invalid", "cannot load images: the input is no tar archive");
  for await (const entry of readTar(stream)) {
    signal.throwIfAborted();
    await archive.take(entry, lease, signal);
  }
  const found = archive.has("manifest.json") ? await dockerImages(archive) : await layoutImages(archive, options);
  if (found.length === 0) throw new EngineError("invalid", "the archive holds no image");
  for (const image of found) await store(context, archive, image, options, progress, signal);
  context.releaseSoon();
}

interface FoundImage {
  config: Uint8Array;
  /** Digests of the layers' blobs, bottom first. */
  layers: Digest[];
  references: Reference[];
  manifest?: Uint8Array;
}

/** Docker's `manifest.json`: a list of `{Config, RepoTags, Layers}`. */
async function dockerImages(archive: Archive): Promise<FoundImage[]> {
  const list: unknown = JSON.parse(new TextDecoder().decode(await archive.bytes("manifest.json")));
  if (!Array.isArray(list)) throw new EngineError("invalid", "invalid archive: manifest.json is not a list");
  return Promise.all(
    list.map(async (item): Promise<FoundImage> => {
      const config = isRecord(item) ? item["Config"] : undefined;
      const layers = isRecord(item) ? stringsOf(item["Layers"]) : undefined;
      if (typeof config !== "string" || layers === undefined) {
        throw new EngineError("invalid", "invalid archive: an entry of manifest.json lacks Config or Layers");
      }
      const tags = isRecord(item) ? (stringsOf(item["RepoTags"]) ?? []) : [];
      return {
        config: await archive.bytes(config),
        layers: layers.map((name) => archive.blob(name)),
        references: tags.map((tag) => withDefaultTag(parseReference(tag))),
      };
    }),
  );
}

/** OCI image-spec "Image Layout": index.json and blobs. */
async function layoutImages(archive: Archive, options: LoadOptions): Promise<FoundImage[]> {
  if (!archive.has("index.json")) {
    throw new EngineError("invalid", "cannot load images: the archive has neither manifest.json nor index.json");
  }
  const index = parseManifest(await archive.bytes("index.json"), "application/vnd.oci.image.index.v1+json");
  if (index.kind !== "index") throw new EngineError("invalid", "invalid archive: index.json is no index");
  const found: FoundImage[] = [];
  for (const descriptor of index.manifests) {
    if (isAttestation(descriptor)) continue;
    found.push(await layoutImage(archive, descriptor, options, referencesOf(descriptor), 0));
  }
  return found;
}

async function layoutImage(
  archive: Archive,
  descriptor: Descriptor,
  options: LoadOptions,
  references: Reference[],
  depth: number,
): Promise<FoundImage> {
  const bytes = await archive.bytes(blobName(descriptor.digest));
  const document = parseManifest(bytes, descriptor.mediaType);
  if (document.kind === "index") {
    const wanted = options.platforms[0] ?? hostPlatform();
    const images = document.manifests.filter((one) => !isAttestation(one));
    const chosen = choosePlatform(wanted, images) ?? (images.length === 1 ? images[0] : undefined);
    if (chosen === undefined || depth > 3) {
      throw new EngineError("not-found", `the archive has no image for ${wanted.os}/${wanted.architecture}`);
    }
    return layoutImage(archive, chosen, options, references, depth + 1);
  }
  return {
    config: await archive.bytes(blobName(document.config.digest)),
    layers: document.layers.map((layer) => archive.blob(blobName(layer.digest))),
    references,
    manifest: bytes,
  };
}

function referencesOf({ annotations }: Descriptor): Reference[] {
  const full = annotations?.["io.containerd.image.name"];
  if (full !== undefined) return [withDefaultTag(parseReference(full))];
  const name = annotations?.["org.opencontainers.image.ref.name"];
  // A bare tag names no repository: such an image stays untagged, as in Docker.
  return name !== undefined && /[/:]/.test(name) ? [withDefaultTag(parseReference(name))] : [];
}

async function store(
  context: ImageContext,
  archive: Archive,
  found: FoundImage,
  { quiet }: LoadOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const config = parseImageConfig(found.config);
  const diffIds = config.rootfs.diff_ids;
  if (diffIds.length !== found.layers.length) {
    throw new EngineError("invalid", `invalid manifest, layers length mismatch: expected ${found.layers.length}, got ${diffIds.length}`);
  }
  using lease = context.store.leases.create(...diffIds, ...found.layers);
  const { content, layers } = context.store;
  const descriptors = await Promise.all(
    found.layers.map(async (digest, at): Promise<Descriptor> => {
      const diffId = diffIds[at];
      if (diffId === undefined) throw new EngineError("internal", "a layer lost its diff id");
      const fresh = layers.get(diffId) === undefined;
      const size = content.size(digest);
      if (fresh && !quiet) progress(layerProgress(shortId(diffId), "Loading layer", 0, size));
      await layers.apply(digest, diffId, signal);
      if (fresh && !quiet) progress(layerProgress(shortId(diffId), "Loading layer", size, size));
      return { mediaType: await layerMediaType(content.open(digest)), digest, size };
    }),
  );
  lease.add(...diffIds);
  const manifest = found.manifest ?? buildManifest(found.config, descriptors);
  const { image } = context.table.put({ config: found.config, manifest }, found.references);
  for (const reference of found.references) {
    const name = familiarReference(reference);
    announce(context, "load", image.id, name, image);
    progress({ stream: `Loaded image: ${name}\n` });
  }
  if (found.references.length === 0) {
    announce(context, "load", image.id, image.id, image);
    progress({ stream: `Loaded image ID: ${image.id}\n` });
  }
}

function blobName(digest: Digest): string {
  return `blobs/${digest.replace(":", "/")}`;
}

/** Small JSON at known places; what `blobs/` holds may be either and goes to the store. */
function isDocument(name: string): boolean {
  return name === "repositories" || name === "oci-layout" || (name.endsWith(".json") && !name.startsWith("blobs/")) || name.endsWith("VERSION");
}

/** Refuses names that would leave the archive. They are keys only, but such an archive was made to do harm. */
function cleanName(name: string): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw new EngineError("invalid", `invalid archive: the entry ${JSON.stringify(name)} leads out of it`);
  return parts.join("/");
}

function resolveLink(base: string, target: string): string {
  const parts = base === "" ? [] : base.split("/");
  for (const part of target.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}

