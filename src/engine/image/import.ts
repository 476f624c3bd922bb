/** `import`: makes a one-layer image of a root file system's tar. */
import type { ImageImportQuery } from "#api/types/query.ts";
import { EngineError, errorMessage } from "#lib/errors.ts";
import { hostPlatform } from "#oci/platform.ts";
import { applyChanges } from "./changes.ts";
import { announce, type ImageContext, leasing } from "./context.ts";
import { createImage } from "./create.ts";
import { parseTagName } from "./tag.ts";
import { compressionOf, decompress, layerMediaType, peek } from "./stream.ts";
import type { Image, Progress } from "./types.ts";

/** The tar (gzip, zstd or not) comes from the body where `fromSrc` is `-`, else from that URL. Rejects as `load`. */
export async function importImage(
  context: ImageContext,
  body: AsyncIterable<Uint8Array>,
  query: ImageImportQuery,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  // What can be refused is refused before the data is read.
  if (query.repo !== "") parseTagName(query.repo, query.tag);
  applyChanges({}, query.changes);
  const source = query.fromSrc === "-" ? body : await download(query.fromSrc, progress, signal);
  const reference = query.repo === "" ? undefined : query.tag === "" ? query.repo : `${query.repo}:${query.tag}`;
  const image = await importLayer(context, source, signal, {
    comment: query.message === "" ? `Imported from ${query.fromSrc}` : query.message,
    changes: query.changes,
    platform: query.platform ?? hostPlatform(),
    ...(reference !== undefined && { reference }),
  });
  progress({ status: image.id });
  announce(context, "import", image.id, image.id, image);
}

/** Stores the tar as a layer and makes the image described; `options` are those of `create`. */
async function importLayer(
  context: ImageContext,
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  options: Omit<Parameters<typeof createImage>[1], "layer" | "parent">,
): Promise<Image> {
  return await leasing(context, async (lease) => {
    const blob = await context.store.content.ingest(await layerStream(source), { lease }, signal);
    const mediaType = await layerMediaType(context.store.content.open(blob.digest));
    const { diffId } = await context.store.layers.applyUnknown(blob.digest, lease, signal);
    return createImage(context, { ...options, layer: { diffId, blob: { ...blob, mediaType } } });
  });
}

/** There is no media type for layers with the compressions that root file systems also come in. */
async function layerStream(source: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const { head, rest } = await peek(source, 512);
  if (!["xz", "bzip2"].includes(compressionOf(head))) return rest;
  return (await decompress(rest, "the root file system")).stream;
}

async function download(address: string, progress: Progress, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const text = address.includes("://") ? address : `http://${address}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol)) {
    throw new EngineError("invalid", `cannot import from ${address}: not an http or https URL`);
  }
  progress({ status: `Downloading from ${url.href}` });
  let response: Response;
  try {
    response = await fetch(url, { signal });
  } catch (cause) {
    throw new EngineError("unavailable", `cannot download ${url.href}: ${errorMessage(cause)}`, { cause });
  }
  if (!response.ok || response.body === null) {
    throw new EngineError("unavailable", `cannot download ${url.href}: the server answered ${response.status}`);
  }
  return response.body;
}
