/** Answers `image inspect` and `history`. */
import type { HistoryItem, ImageInspect, ImageManifestSummary, ImageRunConfig } from "#api/types/image.ts";
import { parseTime } from "#lib/time.ts";
import type { RunConfig } from "#oci/image-config.ts";
import type { LayerStore } from "#store/layers.ts";
import type { ImageTable } from "./table.ts";
import type { Image, ImageUsers } from "./types.ts";

/** The full answer of Engine API v1.50. Rejects "not-found" where a layer is missing. */
export async function inspectImage(image: Image, layers: LayerStore): Promise<ImageInspect> {
  const { config } = image;
  const [upper, ...lower] = await layers.stack(image.chain);
  const data = {
    ...(lower.length > 0 && { LowerDir: lower.join(":") }),
    ...(upper !== undefined && { UpperDir: upper }),
  };
  return {
    Id: image.id,
    RepoTags: [...image.repoTags],
    RepoDigests: [...image.repoDigests],
    Parent: image.parent ?? "",
    Comment: config.comment ?? config.history.at(-1)?.comment ?? "",
    ...(config.created !== undefined && { Created: config.created }),
    DockerVersion: config.docker_version ?? "",
    Author: config.author ?? "",
    Config: wireConfig(config.config),
    Architecture: config.architecture,
    ...(config.variant !== undefined && { Variant: config.variant }),
    Os: config.os,
    ...(config["os.version"] !== undefined && { OsVersion: config["os.version"] }),
    Size: layers.size(image.chain),
    GraphDriver: { Name: "overlay2", Data: data },
    RootFS: { Type: "layers", Layers: [...image.chain] },
    Metadata: {
      LastTagTime: image.lastTagged === undefined ? "0001-01-01T00:00:00Z" : new Date(image.lastTagged).toISOString(),
    },
  };
}

export function wireConfig(config: RunConfig): ImageRunConfig {
  const { Healthcheck, StopTimeout: _, ...rest } = config;
  return structuredClone({
    ...rest,
    Cmd: rest.Cmd ?? null,
    Entrypoint: rest.Entrypoint ?? null,
    Env: rest.Env ?? null,
    Labels: rest.Labels ?? null,
    OnBuild: rest.OnBuild ?? null,
    ...(Healthcheck !== undefined && { Healthcheck }),
  }) as ImageRunConfig;
}

/** The one manifest we keep of an image, for clients that draw the tree of an index. */
export function manifestSummary(image: Image, layers: LayerStore, users: ImageUsers): ImageManifestSummary {
  const { manifest, config } = image;
  const digest = image.manifestDigest;
  const content = manifest.layers.reduce((sum, layer) => sum + layer.size, manifest.config.size);
  const unpacked = layers.size(image.chain);
  const platform = {
    architecture: config.architecture,
    os: config.os,
    ...(config.variant !== undefined && { variant: config.variant }),
  };
  return {
    ID: digest,
    Descriptor: { mediaType: manifest.mediaType, digest, size: image.manifestSize, platform },
    Available: true,
    Size: { Content: content, Total: content + unpacked },
    Kind: "image",
    ImageData: { Platform: platform, Containers: users(image.id).map(({ id }) => id), Size: { Unpacked: unpacked } },
  };
}

/** Newest first; sizes come from the unpacked layers. */
export function historyOf(image: Image, table: ImageTable, layers: LayerStore): HistoryItem[] {
  const { history } = image.config;
  const items: HistoryItem[] = [];
  let layer = 0;
  for (const entry of history) {
    const diffId = entry.empty_layer === true ? undefined : image.chain[layer++];
    items.unshift({
      Id: "<missing>",
      Created: Number((parseTime(entry.created ?? "") ?? 0n) / 1_000_000_000n),
      CreatedBy: entry.created_by ?? "",
      Tags: null,
      Size: diffId === undefined ? 0 : layers.size([diffId]),
      Comment: entry.comment ?? "",
    });
  }
  // The ancestors made on this host are known, one history entry each.
  let ancestor: Image | undefined = image;
  for (const item of items) {
    if (ancestor === undefined) break;
    item.Id = ancestor.id;
    if (ancestor.repoTags.length > 0) item.Tags = [...ancestor.repoTags];
    const parent: Image | undefined = ancestor.parent === undefined ? undefined : table.get(ancestor.parent);
    ancestor = parent;
  }
  return items;
}
