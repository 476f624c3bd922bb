/** Descriptors: the typed, sized pointers that tie indexes, manifests, configs and layers together. */
import { EngineError } from "#lib/errors.ts";
import { type Digest, isDigest } from "./digest.ts";
import { isRecord, optionalString, stringMap, stringsOf } from "./json.ts";
import { parsePlatformObject, type Platform } from "./platform.ts";

/** OCI image-spec "Content Descriptors". `size` is in bytes. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly urls?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: Platform;
  readonly artifactType?: string;
}

/** Throws kind "invalid"; `what` names the descriptor in the message ("config", "layer 3"). */
export function parseDescriptor(value: unknown, what: string): Descriptor {
  if (!isRecord(value)) throw new EngineError("invalid", `invalid manifest: ${what} is not a descriptor`);
  const { digest, size } = value;
  if (typeof digest !== "string" || !isDigest(digest)) {
    throw new EngineError("invalid", `invalid manifest: ${what} has no valid digest`);
  }
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
    throw new EngineError("invalid", `invalid manifest: ${what} has no valid size`);
  }
  const urls = stringsOf(value["urls"]);
  const annotations = stringMap(value["annotations"]);
  const platform = parsePlatformObject(value["platform"]);
  const artifactType = optionalString(value["artifactType"]);
  return {
    mediaType: optionalString(value["mediaType"]) ?? "",
    digest,
    size,
    ...(urls !== undefined && { urls }),
    ...(annotations !== undefined && { annotations }),
    ...(platform !== undefined && { platform }),
    ...(artifactType !== undefined && { artifactType }),
  };
}
