/** Makes images out of layers that are already in the store: for commit, import, bootstrap and the builder's steps. */
import { EngineError } from "#lib/errors.ts";
import { formatTime, now } from "#lib/time.ts";
import { digestOf } from "#oci/digest.ts";
import { type ImageConfig, serializeImageConfig } from "#oci/image-config.ts";
import * as types from "#oci/media-type.ts";
import { hostPlatform } from "#oci/platform.ts";
import { familiarReference } from "#oci/reference.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { applyChanges } from "./changes.ts";
import { announce, type ImageContext } from "./context.ts";
import { parseTagName } from "./tag.ts";
import type { CreateOptions, Image } from "./types.ts";

/** The OCI manifest over a config and layer blobs, in one fixed form. */
export function buildManifest(config: Uint8Array, layers: readonly Descriptor[]): Uint8Array {
  const manifest = {
    schemaVersion: 2,
    mediaType: types.ociManifest,
    config: { mediaType: types.ociConfig, digest: digestOf(config), size: config.length },
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType: types.ociLayerType(mediaType), digest, size })),
  };
  return new TextEncoder().encode(JSON.stringify(manifest));
}

/**
 * Stores the image and points `reference` at it. The caller holds a lease on the layer's digests, which must be
 * unpacked already; nothing is stored otherwise. Throws "invalid" for a bad reference or change.
 */
export function createImage(context: ImageContext, options: CreateOptions): Image {
  const { parent, layer } = options;
  const reference = options.reference === undefined ? undefined : parseTagName(options.reference);
  if (layer !== undefined && context.store.layers.get(layer.diffId) === undefined) {
    throw new EngineError("internal", `cannot make an image of layer ${layer.diffId}: it is not unpacked`);
  }
  const config = serializeImageConfig(newConfig(options));
  const layers = [...(parent?.manifest.layers ?? []), ...(layer === undefined ? [] : [layer.blob])];
  const row = { config, manifest: buildManifest(config, layers), ...(parent !== undefined && { parent: parent.id }) };
  const { image } = context.table.put(row, reference === undefined ? [] : [reference]);
  // One without a parent was imported: its caller says so.
  if (parent !== undefined) announce(context, "create", image.id, image.id, image);
  if (reference !== undefined) announce(context, "tag", image.id, familiarReference(reference), image);
  return image;
}

function newConfig(options: CreateOptions): ImageConfig {
  const { parent, layer, author, comment, createdBy } = options;
  const platform = options.platform ?? parent?.config ?? hostPlatform();
  const created = options.created ?? formatTime(now());
  return {
    os: platform.os,
    architecture: platform.architecture,
    ...(platform.variant !== undefined && { variant: platform.variant }),
    ...(platform["os.version"] !== undefined && { "os.version": platform["os.version"] }),
    created,
    ...(author !== undefined && author !== "" && { author }),
    config: applyChanges(options.config ?? parent?.config.config ?? {}, options.changes ?? []),
    rootfs: { type: "layers", diff_ids: [...(parent?.chain ?? []), ...(layer === undefined ? [] : [layer.diffId])] },
    history: [
      ...(parent?.config.history ?? []),
      {
        created,
        ...(author !== undefined && author !== "" && { author }),
        ...(createdBy !== undefined && createdBy !== "" && { created_by: createdBy }),
        ...(comment !== undefined && comment !== "" && { comment }),
        ...(layer === undefined && { empty_layer: true }),
      },
    ],
  };
}
