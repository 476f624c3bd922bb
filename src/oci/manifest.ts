/** Manifests and indexes: what ties a tag to configs and layers, in OCI's form and in Docker's schema 2. */
import { EngineError } from "#lib/errors.ts";
import { type Descriptor, parseDescriptor } from "./descriptor.ts";
import { optionalString, parseJsonObject, stringMap } from "./json.ts";
import * as types from "./media-type.ts";

/** OCI image-spec "Image Manifest", or Docker's image manifest v2 schema 2. */
export interface Manifest {
  readonly kind: "manifest";
  readonly mediaType: string;
  readonly config: Descriptor;
  /** Bottom first. */
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** OCI image-spec "Image Index", or Docker's manifest list. */
export interface Index {
  readonly kind: "index";
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * Reads either; the media type is the document's own, else the one it was served with, else told by its members.
 * Throws kind "invalid", for Docker's long dead schema 1 too.
 */
export function parseManifest(bytes: Uint8Array, servedAs?: string): Manifest | Index {
  const document = parseJsonObject(bytes, "the manifest");
  if (document["schemaVersion"] === 1) {
    throw new EngineError(
      "invalid",
      "[DEPRECATION NOTICE] Docker Image Format v1 and Docker Image manifest version 2, schema 1 support has been " +
        "removed: push the image again with a newer client",
    );
  }
  const annotations = stringMap(document["annotations"]);
  const extra = annotations !== undefined && { annotations };
  const served = servedAs?.split(";")[0]?.trim();
  const mediaType = optionalString(document["mediaType"]) ?? served ?? "";
  if (types.isIndex(mediaType) || (!types.isManifest(mediaType) && Array.isArray(document["manifests"]))) {
    if (!Array.isArray(document["manifests"]) || document["layers"] !== undefined) {
      throw new EngineError("invalid", "invalid manifest: an index must have manifests and no layers");
    }
    const manifests = document["manifests"].map((item, i) => parseDescriptor(item, `manifest ${i}`));
    return { kind: "index", mediaType: types.isIndex(mediaType) ? mediaType : types.ociIndex, manifests, ...extra };
  }
  if (!Array.isArray(document["layers"]) || document["manifests"] !== undefined) {
    throw new EngineError("invalid", `invalid manifest: unsupported media type ${mediaType || "(none)"}`);
  }
  return {
    kind: "manifest",
    mediaType: types.isManifest(mediaType) ? mediaType : types.ociManifest,
    config: parseDescriptor(document["config"], "config"),
    layers: document["layers"].map((item, i) => parseDescriptor(item, `layer ${i}`)),
    ...(document["subject"] !== undefined && { subject: parseDescriptor(document["subject"], "subject") }),
    ...extra,
  };
}

/** BuildKit's provenance manifests stand in an index as platform unknown/unknown; they are no images. */
export function isAttestation(descriptor: Descriptor): boolean {
  return (
    descriptor.annotations?.["vnd.docker.reference.type"] === "attestation-manifest" ||
    (descriptor.platform?.os === "unknown" && descriptor.platform.architecture === "unknown")
  );
}
