/** `pull`: brings images from a registry, unpacking layers while others still download. */
import type { ImagePullQuery } from "#api/types/query.ts";
import { EngineError } from "#lib/errors.ts";
import { type Digest, isDigest, shortId } from "#oci/digest.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { parseImageConfig } from "#oci/image-config.ts";
import { ociLayerType } from "#oci/media-type.ts";
import { formatPlatform, hostPlatform, normalizePlatform, platformRank } from "#oci/platform.ts";
import { familiarName, familiarReference, parseReference, type Reference } from "#oci/reference.ts";
import { downloadBlob } from "#registry/client/download.ts";
import { describePullError } from "#registry/client/errors.ts";
import type { Repository } from "#registry/client/repository.ts";
import { resolveImage as resolveRemote } from "#registry/client/resolve.ts";
import type { Lease } from "#store/leases.ts";
import { announce, type ImageContext, leasing } from "./context.ts";
import { Limit } from "./limit.ts";
import { layerProgress, throttle } from "./progress.ts";
import type { Progress } from "./types.ts";

/** Layers that download at the same time for one pull, as Docker's default. */
const usualDownloads = 3;

/**
 * Pulls the tag or digest; a name with neither means every tag of the repository, as in Docker's API. Mirrors are
 * asked first. Rejects in Docker's words; layers that arrived in full are kept for a moment only.
 */
export async function pullImages(
  context: ImageContext,
  query: ImagePullQuery,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const reference = pullReference(query);
  let failure: unknown;
  try {
    for await (const repository of context.registry.repositories(reference, signal)) {
      try {
        for (const wanted of await wantedReferences(repository, reference, signal)) {
          await leasing(context, (lease) => pullImage(context, lease, repository, wanted, query, progress, signal));
        }
        return;
      } catch (error) {
        if (!repository.endpoint.mirror || signal.aborted) throw error;
        failure = error;
      }
    }
    throw failure;
  } catch (error) {
    signal.throwIfAborted();
    throw describePullError(error, reference);
  }
}

function pullReference({ fromImage, tag }: ImagePullQuery): Reference {
  const reference = parseReference(fromImage);
  if (tag === "") return reference;
  const { tag: _, digest: __, ...name } = reference;
  return parseReference(`${familiarReference(name)}${isDigest(tag) ? "@" : ":"}${tag}`);
}

async function wantedReferences(
  repository: Repository,
  reference: Reference,
  signal: AbortSignal,
): Promise<Reference[]> {
  if (reference.tag !== undefined || reference.digest !== undefined) return [reference];
  return (await repository.tags(signal)).map((tag) => ({ ...reference, tag }));
}

async function pullImage(
  context: ImageContext,
  lease: Lease,
  repository: Repository,
  reference: Reference,
  query: ImagePullQuery,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const { table } = context;
  const platform = normalizePlatform(query.platform ?? hostPlatform());
  const wanted = reference.digest ?? reference.tag ?? "latest";
  const remote = await resolveRemote(repository, wanted, platform, signal);
  progress({ status: `Pulling from ${reference.path}`, id: wanted });
  const { manifest } = remote;
  for (const layer of manifest.layers) ociLayerType(layer.mediaType); // refuses foreign ones before anything is fetched
  const config =
    table.get(manifest.config.digest) === undefined
      ? await repository.document(manifest.config, signal)
      : table.documents(manifest.config.digest).config;
  const parsed = parseImageConfig(config);
  const diffIds = parsed.rootfs.diff_ids;
  if (diffIds.length !== manifest.layers.length) {
    throw new EngineError(
      "invalid",
      `invalid image: its config names ${diffIds.length} layers, its manifest ${manifest.layers.length}`,
    );
  }
  if (query.platform !== undefined && platformRank(platform, parsed) === undefined) {
    throw new EngineError(
      "not-found",
      `image with reference ${familiarReference(reference)} was found but its platform (${formatPlatform(parsed)}) ` +
        `does not match the specified platform (${formatPlatform(platform)})`,
    );
  }
  lease.add(...diffIds, ...manifest.layers.map(({ digest }) => digest));
  await fetchLayers(context, repository, manifest.layers, diffIds, progress, signal);
  const known = table.get(manifest.config.digest);
  const { tag: _, ...bare } = reference;
  const references: Reference[] = [{ ...bare, digest: remote.digest }];
  if (reference.digest === undefined) references.push(reference);
  const current = known !== undefined && references.every((name) => table.byReference(name) === known.id);
  const { image } = table.put({ config, manifest: remote.bytes }, references);
  const name = familiarReference(reference);
  progress({ status: `Digest: ${remote.digest}` });
  progress({
    status: current ? `Status: Image is up to date for ${name}` : `Status: Downloaded newer image for ${name}`,
  });
  announce(context, "pull", name, familiarName(reference), image);
}

/** Resolves when every layer is in the store and unpacked; the first failure stops the others and waits for them. */
async function fetchLayers(
  context: ImageContext,
  repository: Repository,
  layers: readonly Descriptor[],
  diffIds: readonly Digest[],
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const limit = new Limit(context.registry.options.parallelDownloads ?? usualDownloads);
  const distinct = new Map(layers.map((layer, i) => [layer.digest, { layer, diffId: diffIds[i] as Digest }]));
  const missing = [...distinct.values()].filter(({ layer, diffId }) => {
    const present = context.store.content.has(layer.digest) && context.store.layers.get(diffId) !== undefined;
    progress(layerProgress(shortId(layer.digest), present ? "Already exists" : "Pulling fs layer"));
    return !present;
  });
  const work = missing.map(async ({ layer, diffId }) => {
    try {
      if (limit.busy) progress(layerProgress(shortId(layer.digest), "Waiting"));
      await limit.run(() => download(context, repository, layer, progress, either));
      progress(layerProgress(shortId(layer.digest), "Extracting", layer.size, layer.size));
      await context.store.layers.apply(layer.digest, diffId, either);
      progress(layerProgress(shortId(layer.digest), "Pull complete"));
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  });
  await Promise.allSettled(work);
  signal.throwIfAborted();
  if (failed.signal.aborted) throw failed.signal.reason;
}

async function download(
  context: ImageContext,
  repository: Repository,
  layer: Descriptor,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const id = shortId(layer.digest);
  const onBytes = throttle(100, (current) => progress(layerProgress(id, "Downloading", current, layer.size)));
  await downloadBlob(
    repository,
    context.store.content,
    layer,
    {
      onBytes,
      onVerify: () => progress(layerProgress(id, "Verifying Checksum")),
      onRetry: (wait) =>
        progress(layerProgress(id, `Retrying in ${Math.ceil(wait / 1000)} second${wait > 1000 ? "s" : ""}`)),
    },
    signal,
  );
  progress(layerProgress(id, "Download complete"));
}
