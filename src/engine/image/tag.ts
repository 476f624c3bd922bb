/** Gives images names. */
import { EngineError } from "#lib/errors.ts";
import { familiarReference, parseReference, type Reference, withDefaultTag } from "#oci/reference.ts";
import { announce, type ImageContext } from "./context.ts";
import { resolveImage } from "./resolve.ts";

/** A reference that may become a tag. Throws "invalid" for one with a digest or that reads like one. */
export function parseTagName(repository: string, tag = ""): Reference {
  const reference = parseReference(repository);
  if (reference.digest !== undefined)
    throw new EngineError("invalid", "refusing to create a tag with a digest reference");
  if (reference.path === "library/sha256") {
    throw new EngineError("invalid", "refusing to create an ambiguous tag using digest algorithm as name");
  }
  if (tag === "") return withDefaultTag(reference);
  if (!/^[\w][\w.-]{0,127}$/.test(tag)) throw new EngineError("invalid", "invalid tag format");
  const { tag: _, ...bare } = reference;
  return parseReference(`${familiarReference(bare)}:${tag}`);
}

/** Points `repository:tag` (empty: the repository's own tag, or `latest`) at the image meant by `name`. */
export function tagImage(context: ImageContext, name: string, repository: string, tag: string): void {
  const image = resolveImage(context.table, name);
  const reference = parseTagName(repository, tag);
  context.table.point(reference, image.id);
  announce(context, "tag", image.id, familiarReference(reference), image);
}
