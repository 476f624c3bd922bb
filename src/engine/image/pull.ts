/** Fetches images from registries: layers download and unpack side by side, the image appears when all are in. */
import type { ImagePullQuery } from "#api/types/query.ts";
import { EngineError } from "#lib/errors.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { digestOf, isDigest, shortId } from "#oci/digest.ts";
import { type ImageConfig, parseImageConfig } from "#oci/image-config.ts";
import { compressionOfLayer } from "#oci/media-type.ts";
import { hostPlatform } from "#oci/platform.ts";
import { familiarName, familiarReference, parseReference, type Reference, withDefaultTag } from "#oci/reference.ts";
import { downloadBlob } from "#registry/client/download.ts";
import type { Repository } from "#registry/client/repository.ts";
import { resolveImage } from "#registry/client/resolve.ts";
import { announce, type ImageContext } from "./context.ts";
import { layerProgress, throttle } from "./progress.ts";
import type { Progress } from "./types.ts";

/** As many downloads at once as Docker makes. */
const PARALLEL = 3;
const REPORT_EVERY = 100;

export async function pullImages(
  context: ImageContext,
  query: ImagePullQuery,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const reference = referenceOf(query);
  const name = familiarName(reference);
  const wanted = reference.digest ?? reference.tag ?? "latest";
  progress({ status: isDigest(wanted) ? `Pulling from ${reference.path}` : `Pulling from ${reference.path}`, id: wanted });
  let failure: unknown;
  for await (const repository of context.registry.repositories(reference, signal)) {
    try {
      await pullFrom(context, repository, reference, wanted, query, progress, signal);
      return;
    } catch (error) {
      signal.throwIfAborted();
      // The next place may have it; what the last one says counts.
      failure = error;
    }
  }
  throw failure ?? new EngineError("not-found", `pull access denied for ${name}, repository does not exist or may require 'docker login'`);
}

function referenceOf({ fromImage, tag }: ImagePullQuery): Reference {
  const reference = parseReference(fromImage);
  if (tag === "") return withDefaultTag(reference);
  return parseReference(isDigest(tag) ? `${familiarName(reference)}@${tag}` : `${familiarName(reference)}:${tag}`);
}

async function pullFrom(
  context: ImageContext,
  repository: Repository,
  reference: Reference,
  wanted: string,
  query: ImagePullQuery,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const { content, layers, leases } = context.store;
  const resolved = await resolveImage(repository, wanted, query.platform ?? hostPlatform(), signal);
  const { manifest } = resolved;
  for (const layer of manifest.layers) compressionOfLayer(layer.mediaType);
  using lease = leases.create(manifest.config.digest, ...manifest.layers.map(({ digest }) => digest));
  await downloadBlob(repository, content, manifest.config, {}, signal);
  const config = await content.read(manifest.config.digest);
  const parsed = parseImageConfig(config);
  const diffIds = parsed.rootfs.diff_ids;
  if (diffIds.length !== manifest.layers.length) {
    throw new EngineError("invalid", `invalid image: ${manifest.layers.length} layers but ${diffIds.length} diff ids`);
  }
  lease.add(...diffIds);
  const before = context.table.get(digestOf(config));
  await pullLayers(context, repository, manifest.layers, parsed, progress, signal);
  for (const diffId of diffIds) layers.get(diffId);
  const repoDigest: Reference = { domain: reference.domain, path: reference.path, digest: resolved.digest };
  const references = reference.digest === undefined ? [reference, repoDigest] : [repoDigest];
  const { image } = context.table.put({ config, manifest: resolved.bytes }, references);
  const shown = familiarReference(reference);
  progress({ status: `Digest: ${resolved.digest}` });
  progress({ status: `Status: ${before === undefined ? "Downloaded newer image for" : "Image is up to date for"} ${shown}` });
  announce(context, "pull", shown, familiarName(reference), image);
}

/** A layer unpacks as soon as it is there, while others still download. */
async function pullLayers(
  context: ImageContext,
  repository: Repository,
  descriptors: readonly Descriptor[],
  config: ImageConfig,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const { content, layers } = context.store;
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  let active = 0;
  const queue: (() => void)[] = [];
  const slot = async (): Promise<void> => {
    if (active >= PARALLEL) await new Promise<void>((resolve) => queue.push(resolve));
    active++;
  };
  const leave = (): void => {
    active--;
    queue.shift()?.();
  };
  const work = descriptors.map(async (blob, at) => {
    const id = shortId(blob.digest);
    const diffId = config.rootfs.diff_ids[at];
    if (diffId === undefined) throw new EngineError("internal", "a layer lost its diff id");
    if (layers.get(diffId) !== undefined && content.has(blob.digest)) {
      progress(layerProgress(id, "Already exists"));
      return;
    }
    progress(layerProgress(id, "Pulling fs layer"));
    await slot();
    try {
      const report = throttle(REPORT_EVERY, (current) => progress(layerProgress(id, "Downloading", current, blob.size)));
      await downloadBlob(
        repository,
        content,
        blob,
        {
          onBytes: report,
          onVerify: () => progress(layerProgress(id, "Verifying Checksum")),
          onRetry: (wait) => progress(layerProgress(id, `Retrying in ${Math.ceil(wait / 1000)} seconds`)),
        },
        either,
      );
    } finally {
      leave();
    }
    progress(layerProgress(id, "Download complete"));
    progress(layerProgress(id, "Extracting", blob.size, blob.size));
    await layers.apply(blob.digest, diffId, either);
    progress(layerProgress(id, "Pull complete"));
  });
  try {
    await Promise.all(work);
  } catch (error) {
    failed.abort();
    await Promise.allSettled(work);
    throw error;
  }
}
