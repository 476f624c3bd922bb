/** Answers `images`: which images to show, and the summary of each. */
import type { ImageSummary } from "#api/types/image.ts";
import type { ImageListQuery } from "#api/types/query.ts";
import { chainIds } from "#oci/chain-id.ts";
import type { Digest } from "#oci/digest.ts";
import type { LayerStore } from "#store/layers.ts";
import { assertFilters, booleanFilter, createdAt, labelsMatch, olderThanFilter, referenceFilter } from "./filter.ts";
import { manifestSummary } from "./inspect.ts";
import { resolveImage } from "./resolve.ts";
import type { ImageTable } from "./table.ts";
import type { Image, ImageUsers } from "./types.ts";

const knownFilters = ["dangling", "label", "label!", "before", "since", "reference", "until"];

/** Newest first. Throws "invalid" for an unknown filter, "not-found" for an unknown image in `before` or `since`. */
export function listImages(
  table: ImageTable,
  layers: LayerStore,
  users: ImageUsers,
  query: ImageListQuery,
): ImageSummary[] {
  const { filters } = query;
  assertFilters(filters, knownFilters);
  const dangling = booleanFilter(filters, "dangling");
  const before = (filters["before"] ?? []).map((name) => createdAt(resolveImage(table, name)));
  const since = (filters["since"] ?? []).map((name) => createdAt(resolveImage(table, name)));
  const olderThan = olderThanFilter(filters);
  const matches = referenceFilter(filters);

  const shown: { image: Image; tags: readonly string[]; digests: readonly string[] }[] = [];
  for (const image of table.all()) {
    const created = createdAt(image);
    if (!before.every((limit) => created < limit) || !since.every((limit) => created > limit)) continue;
    if (!olderThan(image) || !labelsMatch(image, filters)) continue;
    const tags = matches === undefined ? image.repoTags : image.repoTags.filter(matches);
    const digests = matches === undefined ? image.repoDigests : image.repoDigests.filter(matches);
    if (tags.length === 0 && digests.length === 0) {
      if (matches !== undefined || dangling === false) continue;
      if (!query.all && table.children(image.id).length > 0) continue;
    } else if (dangling === true && tags.length > 0) continue;
    shown.push({ image, tags, digests });
  }
  const sharing = query.sharedSize ? countUses(table.all()) : undefined;
  return shown
    .map(({ image, tags, digests }) => ({
      ...summarize(image, layers),
      RepoTags: [...tags],
      RepoDigests: [...digests],
      ...(sharing !== undefined && {
        SharedSize: sharedSize(image, layers, sharing),
        Containers: users(image.id).length,
      }),
      ...(query.manifests && { Manifests: [manifestSummary(image, layers, users)] }),
    }))
    .toSorted((a, b) => b.Created - a.Created || (a.Id < b.Id ? -1 : 1));
}

function summarize(image: Image, layers: LayerStore): ImageSummary {
  return {
    Id: image.id,
    ParentId: image.parent ?? "",
    RepoTags: [],
    RepoDigests: [],
    Created: Number(createdAt(image) / 1_000_000_000n),
    Size: layers.size(image.chain),
    SharedSize: -1,
    Labels: image.config.config.Labels ?? null,
    Containers: -1,
  };
}

/** How many images have each chainID. */
function countUses(images: readonly Image[]): Map<Digest, number> {
  const uses = new Map<Digest, number>();
  for (const image of images) {
    for (const chainId of chainIds(image.chain)) uses.set(chainId, (uses.get(chainId) ?? 0) + 1);
  }
  return uses;
}

function sharedSize(image: Image, layers: LayerStore, uses: ReadonlyMap<Digest, number>): number {
  const ids = chainIds(image.chain);
  const shared = image.chain.filter((_, i) => (uses.get(ids[i] as Digest) ?? 0) > 1);
  return layers.size(shared);
}
