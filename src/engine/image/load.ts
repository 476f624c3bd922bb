/** `load`: takes images out of an archive that streams in. */
import { EngineError } from "#lib/errors.ts";
import { type Digest, shortId } from "#oci/digest.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { parseImageConfig } from "#oci/image-config.ts";
import { ociLayerType } from "#oci/media-type.ts";
import { formatPlatform, type Platform, platformRank } from "#oci/platform.ts";
import { familiarReference } from "#oci/reference.ts";
import type { Lease } from "#store/leases.ts";
import { ImageArchive } from "./archive.ts";
import { type ArchivedImage, describeArchive } from "./archive-content.ts";
import { completeLegacy } from "./archive-legacy.ts";
import { announce, type ImageContext, leasing } from "./context.ts";
import { buildManifest } from "./create.ts";
import { layerProgress } from "./progress.ts";
import { layerMediaType } from "./stream.ts";
import type { Progress } from "./types.ts";

export interface LoadOptions {
  /** Say nothing about layers. */
  readonly quiet: boolean;
  /** At most one. */
  readonly platforms: readonly Platform[];
}

/**
 * Loads every image of the archive. Rejects "invalid" for a malformed, cut off or malicious archive and for layers
 * that are not what their config says: images complete by then stay, nothing else does.
 */
export async function loadImages(
  context: ImageContext,
  body: AsyncIterable<Uint8Array>,
  options: LoadOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const [platform, ...more] = options.platforms;
  if (more.length > 0) throw new EngineError("invalid", "multiple platform parameters not supported");
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  await leasing(context, async (lease) => {
    const archive = new ImageArchive(context.store, lease, either);
    try {
      await archive.read(body);
      const images = await describeArchive(archive, platform);
      for (const image of images)
        await loadImage(context, archive, image, lease, { ...options, platform }, progress, either);
    } catch (error) {
      failed.abort();
      signal.throwIfAborted();
      throw error;
    } finally {
      await archive.settled();
    }
  });
}

async function loadImage(
  context: ImageContext,
  archive: ImageArchive,
  image: ArchivedImage,
  lease: Lease,
  options: { quiet: boolean; platform: Platform | undefined },
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const blobs = await Promise.all(image.layers.map((_, i) => layerOf(context, archive, image, i)));
  const config = image.legacy === undefined ? image.config : await legacyConfig(context, image, blobs, lease, signal);
  const parsed = parseImageConfig(config);
  const diffIds = parsed.rootfs.diff_ids;
  if (diffIds.length !== blobs.length) {
    throw new EngineError(
      "invalid",
      `invalid manifest, layers length mismatch: expected ${blobs.length}, got ${diffIds.length}`,
    );
  }
  const { platform } = options;
  if (platform !== undefined && platformRank(platform, parsed) === undefined) {
    throw new EngineError(
      "not-found",
      `requested platform (${formatPlatform(platform)}) not found: the archive has ${formatPlatform(parsed)}`,
    );
  }
  lease.add(...diffIds);
  await Promise.all(
    blobs.map(async (blob, i) => {
      const diffId = diffIds[i] as Digest;
      const { size } = await context.store.layers.apply(blob.digest, diffId, signal);
      if (!options.quiet) progress(layerProgress(shortId(diffId), "Loading layer", size, size));
    }),
  );
  signal.throwIfAborted();
  const manifest = image.manifest?.bytes ?? buildManifest(config, blobs);
  const { image: stored, displaced } = context.table.put({ config, manifest }, image.references);
  for (const [reference, before] of displaced) {
    const name = familiarReference(reference);
    progress({ stream: `The image ${name} already exists, renaming the old one with ID ${before} to empty string\n` });
  }
  for (const reference of image.references) progress({ stream: `Loaded image: ${familiarReference(reference)}\n` });
  if (image.references.length === 0) progress({ stream: `Loaded image ID: ${stored.id}\n` });
  announce(context, "load", stored.id, stored.id, stored);
}

/** The blob of layer `i`, with the media type that it goes by in a manifest. */
async function layerOf(
  context: ImageContext,
  archive: ImageArchive,
  image: ArchivedImage,
  i: number,
): Promise<Descriptor> {
  const named = image.manifest?.document.layers[i];
  if (named !== undefined) ociLayerType(named.mediaType); // refuses foreign ones
  const blob = await archive.blob(image.layers[i] ?? "");
  return named ?? { ...blob, mediaType: await layerMediaType(context.store.content.open(blob.digest)) };
}

/** The configs of Docker's first format lack diffIDs. */
async function legacyConfig(
  context: ImageContext,
  image: ArchivedImage,
  blobs: readonly Descriptor[],
  lease: Lease,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const layers = blobs.map(({ digest }) => context.store.layers.applyUnknown(digest, lease, signal));
  return completeLegacy(
    image.legacy ?? [],
    (await Promise.all(layers)).map(({ diffId }) => diffId),
  );
}
