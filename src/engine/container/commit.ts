/** Makes an image of what a container has changed. */
import type { ContainerConfig } from "#api/types/container-config.ts";
import type { CommitResponse } from "#api/types/container.ts";
import type { ContainerCommitQuery } from "#api/types/query.ts";
import { applyChanges } from "#engine/image/changes.ts";
import { parseTagName } from "#engine/image/tag.ts";
import type { NewLayer } from "#engine/image/types.ts";
import { EngineError } from "#lib/errors.ts";
import { packTree } from "#linux/helper-client.ts";
import { familiarReference } from "#oci/reference.ts";
import type { RunConfig } from "#oci/image-config.ts";
import { ociLayer } from "#oci/media-type.ts";
import type { ContentStore } from "#store/content.ts";
import type { LayerStore } from "#store/layers.ts";
import type { Leases } from "#store/leases.ts";
import type { Container } from "./container.ts";
import { announce, type EngineContext } from "./context.ts";

export interface CommitStores {
  content: ContentStore;
  layers: LayerStore;
  leases: Leases;
}

/** A running container is frozen meanwhile where the client wants it (Docker's default). */
export async function commitContainer(
  context: EngineContext,
  { content, layers, leases }: CommitStores,
  container: Container,
  query: ContainerCommitQuery,
  config: Partial<ContainerConfig> | undefined,
): Promise<CommitResponse> {
  if (container.removing) {
    throw new EngineError("conflict", `You cannot commit container ${container.id} which is being removed`);
  }
  // What can be refused is refused before anything is frozen.
  const reference = query.repo === "" ? undefined : familiarReference(parseTagName(query.repo, query.tag));
  applyChanges({}, query.changes);
  using lease = leases.create(...container.record.chain);
  const layer = await withFrozen(context, container, query.pause, async (): Promise<NewLayer> => {
    const mount = await context.snapshots.mounts(container.id);
    const root = mount.type === "bind" ? mount.source : mount.upper;
    if (root === undefined) throw new EngineError("internal", `container ${container.id} has no writable layer`);
    const packed = packTree({ root, mode: "layer" });
    const blob = await content.ingest(packed.stream, { lease });
    await packed.done;
    return { diffId: blob.digest, blob: { ...blob, mediaType: ociLayer } };
  });
  await layers.apply(layer.blob.digest, layer.diffId);
  const { record } = container;
  const image = context.images.create({
    parent: context.images.resolve(record.imageId),
    layer,
    config: runConfig({ ...record.config, ...config }),
    changes: query.changes,
    author: query.author,
    comment: query.comment,
    createdBy: [...(record.config.Entrypoint ?? []), ...(record.config.Cmd ?? [])].join(" "),
    ...(reference !== undefined && { reference }),
  });
  announce(context, container, "commit", { comment: query.comment, imageID: image.id, imageRef: reference ?? "" });
  return { Id: image.id };
}

/** The part of a container's configuration that an image carries. */
function runConfig(config: ContainerConfig): RunConfig {
  const { Test, ...health } = config.Healthcheck ?? {};
  return {
    User: config.User,
    ExposedPorts: config.ExposedPorts ?? {},
    Env: config.Env ?? [],
    Entrypoint: config.Entrypoint ?? [],
    Cmd: config.Cmd ?? [],
    Volumes: config.Volumes ?? {},
    WorkingDir: config.WorkingDir,
    Labels: config.Labels,
    ...(config.StopSignal && { StopSignal: config.StopSignal }),
    ...(config.Healthcheck && { Healthcheck: { ...health, ...(Test && { Test }) } }),
    ...(config.Shell && { Shell: config.Shell }),
  };
}

async function withFrozen<T>(
  context: EngineContext,
  container: Container,
  freeze: boolean,
  work: () => Promise<T>,
): Promise<T> {
  using _ = await container.lock.acquire();
  if (!freeze || container.state.status !== "running") return await work();
  await context.runtime.pause(container.id);
  announce(context, container, "pause");
  try {
    return await work();
  } finally {
    await context.runtime.resume(container.id);
    announce(context, container, "unpause");
  }
}
