/** Takes names and images away, with Docker's rules on what must be forced and what cannot be. */
import type { ImageDeleteItem, ImagesPruneResponse } from "#api/types/image.ts";
import type { Filters, ImageRemoveQuery } from "#api/types/query.ts";
import { EngineError, errorKind } from "#lib/errors.ts";
import { chainIds } from "#oci/chain-id.ts";
import { type Digest, shortId } from "#oci/digest.ts";
import { familiarReference, parseReference, type Reference, repositoryName, withDefaultTag } from "#oci/reference.ts";
import { announce, type ImageContext } from "./context.ts";
import { assertFilters, booleanFilter, labelsMatch, olderThanFilter } from "./filter.ts";
import { isIdOf, resolveImage } from "./resolve.ts";
import type { Image } from "./types.ts";

/**
 * `name` as a reference loses that name (and the image with its last one); as an id the image goes with all its names,
 * unless they lie in several repositories. Throws "not-found", or "conflict" in Docker's words.
 */
export function removeImage(
  context: ImageContext,
  name: string,
  { force, noPrune }: ImageRemoveQuery,
): ImageDeleteItem[] {
  const { table } = context;
  const image = resolveImage(table, name);
  const records: ImageDeleteItem[] = [];
  const references = table.references(image.id);
  const byId = isIdOf(image, name);
  if (byId) {
    if (isSingle(references)) {
      assertRemovable(context, image, force, false);
      for (const reference of references) untag(context, image, reference, records);
    }
  } else {
    if (!force && isSingle(references)) assertUnused(context, image, name);
    untagWithDigests(context, image, withDefaultTag(parseReference(name)), records);
    if (table.references(image.id).length > 0) return records;
  }
  // A name was taken away, as was asked: that the image is needed all the same is no failure.
  deleteImage(context, image, records, { force, noPrune, quiet: !byId });
  return records;
}

/** Throws where the name is the image's last and a container, even a stopped one, uses the image. */
function assertUnused(context: ImageContext, image: Image, name: string): void {
  const user = context.users(image.id)[0];
  if (user === undefined) return;
  throw new EngineError(
    "conflict",
    `conflict: unable to remove repository reference "${name}" (must force) - ` +
      `container ${user.id.slice(0, 12)} is using its referenced image ${shortId(image.id)}`,
  );
}

/** A digest of the same repository goes with the repository's last tag. */
function untagWithDigests(context: ImageContext, image: Image, reference: Reference, records: ImageDeleteItem[]): void {
  const { tag: _, ...canonical } = reference;
  untag(context, image, reference.digest === undefined ? reference : canonical, records);
  if (reference.digest !== undefined) return;
  const repository = repositoryName(reference);
  const rest = context.table.references(image.id).filter((other) => repositoryName(other) === repository);
  if (rest.every(({ digest }) => digest !== undefined)) {
    for (const other of rest) untag(context, image, other, records);
  }
}

function untag(context: ImageContext, image: Image, reference: Reference, records: ImageDeleteItem[]): void {
  if (!context.table.unpoint(reference)) return;
  records.push({ Untagged: familiarReference(reference) });
  announce(context, "untag", image.id, image.id, image);
}

/** Whether all names of an image are one tag (or none) with digests of the same repository. */
function isSingle(references: readonly Reference[]): boolean {
  if (references.length <= 1) return true;
  const tags = references.filter(({ digest }) => digest === undefined);
  return tags.length <= 1 && new Set(references.map(repositoryName)).size === 1;
}

/** Throws "conflict" where something needs the image; what is soft (names, stopped containers) `force` overrides. */
function assertRemovable(context: ImageContext, image: Image, force: boolean, countNames: boolean): void {
  const refuse = (how: string, why: string): EngineError =>
    new EngineError("conflict", `conflict: unable to delete ${shortId(image.id)} (${how}) - ${why}`);
  if (context.table.children(image.id).length > 0) throw refuse("cannot be forced", "image has dependent child images");
  const users = context.users(image.id);
  const running = users.find((user) => user.running);
  if (running !== undefined) {
    throw refuse("cannot be forced", `image is being used by running container ${running.id.slice(0, 12)}`);
  }
  if (force) return;
  if (countNames && context.table.references(image.id).length > 0) {
    throw refuse("must be forced", "image is referenced in multiple repositories");
  }
  const stopped = users[0];
  if (stopped !== undefined) {
    throw refuse("must be forced", `image is being used by stopped container ${stopped.id.slice(0, 12)}`);
  }
}

interface DeleteOptions {
  readonly force: boolean;
  readonly noPrune: boolean;
  /** Leave an image that is still needed alone instead of throwing. */
  readonly quiet: boolean;
}

function deleteImage(context: ImageContext, image: Image, records: ImageDeleteItem[], options: DeleteOptions): void {
  const { table } = context;
  try {
    assertRemovable(context, image, options.force, true);
  } catch (error) {
    if (options.quiet && errorKind(error) === "conflict") return;
    throw error;
  }
  const parent = image.parent === undefined ? undefined : table.get(image.parent);
  for (const reference of table.references(image.id)) untag(context, image, reference, records);
  table.remove(image.id);
  context.releaseSoon();
  announce(context, "delete", image.id, image.id, image);
  records.push({ Deleted: image.id });
  const kept = new Set(table.all().flatMap((other) => chainIds(other.chain)));
  const gone: Digest[] = chainIds(image.chain).filter((chainId) => !kept.has(chainId));
  for (const chainId of gone.toReversed()) records.push({ Deleted: chainId });
  if (!options.noPrune && parent !== undefined) {
    deleteImage(context, parent, records, { force: false, noPrune: false, quiet: true });
  }
}

/** Docker's rules: images without a tag, or with `dangling=false` all that no container uses. */
export function pruneImages(context: ImageContext, filters: Filters): Omit<ImagesPruneResponse, "SpaceReclaimed"> {
  assertFilters(filters, ["dangling", "label", "label!", "until"]);
  const all = booleanFilter(filters, "dangling") === false;
  const olderThan = olderThanFilter(filters);
  const removed: ImageDeleteItem[] = [];
  for (const { id } of context.table.all()) {
    const image = context.table.get(id); // an earlier removal may have taken it along
    if (image === undefined || !olderThan(image) || !labelsMatch(image, filters)) continue;
    if (!all && (image.repoTags.length > 0 || context.table.children(id).length > 0)) continue;
    if (context.users(id).length > 0) continue;
    const names = image.repoTags.length > 0 ? image.repoTags : image.repoDigests.length > 0 ? image.repoDigests : [id];
    try {
      for (const name of names) removed.push(...removeImage(context, name, { force: false, noPrune: false }));
    } catch (error) {
      // Needed by a child: Docker leaves it silently too.
      if (!["conflict", "not-found"].includes(errorKind(error))) throw error;
    }
  }
  return { ImagesDeleted: removed.length === 0 ? null : removed };
}
