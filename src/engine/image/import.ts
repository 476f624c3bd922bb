/** Makes an image of a plain tar of a root file system. */
import type { ImageImportQuery } from "#api/types/query.ts";
import { EngineError } from "#lib/errors.ts";
import * as types from "#oci/media-type.ts";
import { announce, type ImageContext } from "./context.ts";
import { createImage } from "./create.ts";
import { decompress, isTar } from "./stream.ts";
import { parseTagName } from "./tag.ts";
import type { Progress } from "./types.ts";

/** `body` is read only where the source is `-`; any other is fetched. The last record is the image's id. */
export async function importImage(
  context: ImageContext,
  body: AsyncIterable<Uint8Array>,
  query: ImageImportQuery,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  if (query.repo !== "") parseTagName(query.repo, query.tag);
  const source = query.fromSrc === "-" ? body : await download(query.fromSrc, progress, signal);
  const { head, stream } = await decompress(source, "the archive");
  if (!isTar(head)) throw new EngineError("invalid", "cannot import: the input is no tar archive");
  using lease = context.store.leases.create();
  const blob = await context.store.content.ingest(stream, {}, signal);
  lease.add(blob.digest);
  await context.store.layers.apply(blob.digest, blob.digest, signal);
  const image = createImage(context, {
    layer: { diffId: blob.digest, blob: { ...blob, mediaType: types.ociLayer } },
    changes: query.changes,
    comment: query.message || `Imported from ${query.fromSrc}`,
    ...(query.platform !== undefined && { platform: query.platform }),
    ...(query.repo !== "" && { reference: query.tag === "" ? query.repo : `${query.repo}:${query.tag}` }),
  });
  announce(context, "import", image.id, query.repo || image.id, image);
  progress({ status: image.id });
}

async function download(url: string, progress: Progress, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const full = /^https?:\/\//.test(url) ? url : `http://${url}`;
  progress({ status: `Downloading from ${full}` });
  const response = await fetch(full, { signal });
  if (!response.ok || response.body === null) {
    throw new EngineError("unavailable", `cannot download ${full}: the server answered ${response.status}`);
  }
  return response.body;
}
