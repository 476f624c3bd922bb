/** The media types of images, in OCI's and Docker's spelling, and what each means for us. */
import { EngineError } from "#lib/errors.ts";

export const ociIndex = "application/vnd.oci.image.index.v1+json";
export const ociManifest = "application/vnd.oci.image.manifest.v1+json";
export const ociConfig = "application/vnd.oci.image.config.v1+json";
export const ociLayer = "application/vnd.oci.image.layer.v1.tar";
export const ociLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
export const ociLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd";
export const dockerManifestList = "application/vnd.docker.distribution.manifest.list.v2+json";
export const dockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
export const dockerConfig = "application/vnd.docker.container.image.v1+json";
export const dockerLayer = "application/vnd.docker.image.rootfs.diff.tar";
export const dockerLayerGzip = "application/vnd.docker.image.rootfs.diff.tar.gzip";
export const dockerLayerZstd = "application/vnd.docker.image.rootfs.diff.tar.zstd";

/** What a client that understands everything above sends as `Accept` for a manifest. */
export const manifestAccept: readonly string[] = [ociIndex, dockerManifestList, ociManifest, dockerManifest];

export type Compression = "none" | "gzip" | "zstd";

const layerCompression: ReadonlyMap<string, Compression> = new Map([
  [ociLayer, "none"],
  [ociLayerGzip, "gzip"],
  [ociLayerZstd, "zstd"],
  [dockerLayer, "none"],
  [dockerLayerGzip, "gzip"],
  [dockerLayerZstd, "zstd"],
]);

export function isIndex(mediaType: string): boolean {
  return mediaType === ociIndex || mediaType === dockerManifestList;
}

export function isManifest(mediaType: string): boolean {
  return mediaType === ociManifest || mediaType === dockerManifest;
}

export function isImageConfig(mediaType: string): boolean {
  return mediaType === ociConfig || mediaType === dockerConfig;
}

export function isLayer(mediaType: string): boolean {
  return layerCompression.has(mediaType);
}

/** Layers whose bytes the licence keeps out of registries (Windows base images, OCI's non-distributable ones). */
function isForeignLayer(mediaType: string): boolean {
  return mediaType.includes(".foreign.") || mediaType.includes(".nondistributable.");
}

/** Throws kind "not-implemented" for foreign layers and "invalid" for what is no layer at all. */
function compressionOfLayer(mediaType: string): Compression {
  const compression = layerCompression.get(mediaType);
  if (compression !== undefined) return compression;
  if (isForeignLayer(mediaType)) {
    throw new EngineError("not-implemented", `foreign layers are not supported (media type ${mediaType})`);
  }
  throw new EngineError("invalid", `unsupported media type ${mediaType}: not an image layer`);
}

/** OCI's name for a layer of either family. Throws as `compressionOfLayer`. */
export function ociLayerType(mediaType: string): string {
  const compression = compressionOfLayer(mediaType);
  return compression === "none" ? ociLayer : compression === "gzip" ? ociLayerGzip : ociLayerZstd;
}
