/** Finds the image that a user's word means: a reference, an id, or the beginning of one. */
import { EngineError } from "#lib/errors.ts";
import { isDigest } from "#oci/digest.ts";
import { formatPlatform, type Platform, platformRank } from "#oci/platform.ts";
import { familiarReference, parseReference, withDefaultTag } from "#oci/reference.ts";
import type { ImageTable } from "./table.ts";
import type { Image } from "./types.ts";

/** Whether `name` is the id of `image`, in full or in part, rather than one of its names. */
export function isIdOf(image: Image, name: string): boolean {
  const prefix = name.startsWith("sha256:") ? name : `sha256:${name}`;
  return name !== "" && image.id.startsWith(prefix);
}

/**
 * A name wins over an id prefix, as in Docker. Undefined where nothing matches; throws "invalid" for what can be
 * neither name nor id, and for a prefix of several ids.
 */
export function findImage(table: ImageTable, name: string): Image | undefined {
  const full = /^[0-9a-f]{64}$/.test(name) ? `sha256:${name}` : name;
  if (isDigest(full)) return table.get(full);
  if (/^sha256:[0-9a-f]{1,63}$/.test(name)) {
    return byReference(table, name) ?? byPrefix(table, name.slice("sha256:".length));
  }
  return byReference(table, name) ?? (/^[0-9a-f]{1,63}$/.test(name) ? byPrefix(table, name) : undefined);
}

/** As `findImage`; throws "not-found" with Docker's words ("No such image: x:latest"). */
export function resolveImage(table: ImageTable, name: string): Image {
  const image = findImage(table, name);
  if (image === undefined) throw new EngineError("not-found", `No such image: ${displayName(name)}`);
  return image;
}

function byReference(table: ImageTable, name: string): Image | undefined {
  const id = table.byReference(withDefaultTag(parseReference(name)));
  return id === undefined ? undefined : table.get(id);
}

function byPrefix(table: ImageTable, prefix: string): Image | undefined {
  const [id, another] = table.byPrefix(prefix);
  if (another !== undefined) throw new EngineError("invalid", `Multiple IDs found with provided prefix: ${prefix}`);
  return id === undefined ? undefined : table.get(id);
}

function displayName(name: string): string {
  if (isDigest(name) || /^[0-9a-f]{64}$/.test(name)) return name;
  return familiarReference(withDefaultTag(parseReference(name)));
}

/** Throws "not-found" where a platform is asked for that the image is not of: we keep one platform per image. */
export function assertPlatform(image: Image, name: string, wanted: Platform | undefined): void {
  if (wanted === undefined || platformRank(wanted, image.config) !== undefined) return;
  throw new EngineError(
    "not-found",
    `image with reference ${name} was found but its platform (${formatPlatform(image.config)}) ` +
      `does not match the specified platform (${formatPlatform(wanted)})`,
  );
}
