/** The image store of the engine: every operation on images, for the API's routes and for containers. */
import type { Database } from "bun:sqlite";
import type {
  HistoryItem,
  ImageDeleteItem,
  ImageInspect,
  ImagesPruneResponse,
  ImageSummary,
  ProgressMessage,
} from "#api/types/image.ts";
import type { Filters, ImageImportQuery, ImageListQuery, ImagePullQuery, ImageRemoveQuery } from "#api/types/query.ts";
import type { MonitorPrograms } from "#engine/runtime/conmon.ts";
import type { HostFacts } from "#engine/spec/host.ts";
import { errorMessage } from "#lib/errors.ts";
import type { Logger } from "#lib/log.ts";
import type { Digest } from "#oci/digest.ts";
import type { Platform } from "#oci/platform.ts";
import type { RegistryClient } from "#registry/client/repository.ts";
import type { Collected, Roots } from "#store/garbage.ts";
import type { Layout } from "#store/layout.ts";
import type { Store } from "#store/store.ts";
import { bootstrapImage } from "./bootstrap/bootstrap.ts";
import { type ImageContext, partsOf } from "./context.ts";
import { createImage } from "./create.ts";
import { importImage } from "./import.ts";
import { historyOf, inspectImage, manifestSummary } from "./inspect.ts";
import { listImages } from "./list.ts";
import { loadImages } from "./load.ts";
import { streamProgress } from "./progress.ts";
import { pullImages } from "./pull.ts";
import { pruneImages, removeImage } from "./remove.ts";
import { assertPlatform, findImage, resolveImage } from "./resolve.ts";
import { saveImages } from "./save.ts";
import { ImageTable } from "./table.ts";
import { tagImage } from "./tag.ts";
import type { CreateOptions, Emit, Image, ImageUsers } from "./types.ts";

export interface ImageServiceOptions {
  readonly db: Database;
  readonly store: Pick<Store, "content" | "layers" | "leases" | "garbage" | "trash">;
  readonly layout: Layout;
  readonly log: Logger;
  readonly registry: RegistryClient;
  readonly emit: Emit;
  /** Asked whenever an image is to be removed. */
  readonly users: ImageUsers;
  /** With which `bootstrap` configures packages. */
  readonly programs: MonitorPrograms;
  readonly host: HostFacts;
}

/**
 * Wherever a `name` is taken, it is a reference, an id or a prefix of one; throws "not-found" (`No such image: x:latest`).
 * An image appears only with all of its layers unpacked; what an operation leaves half-made is collected.
 */
export class ImageService {
  readonly #context: ImageContext;
  readonly #garbage: Store["garbage"];
  #collecting: Promise<Collected> | undefined;
  #next: Promise<Collected> | undefined;

  constructor({ db, store, layout, log, registry, emit, users, programs, host }: ImageServiceOptions) {
    this.#garbage = store.garbage;
    const warn = (error: unknown) =>
      log.warn({ error: errorMessage(error) }, "cannot collect unused blobs and layers; the next removal tries again");
    this.#context = {
      table: new ImageTable(db),
      store,
      layout,
      log,
      registry,
      emit,
      users,
      sandbox: { programs, layout, facts: host },
      releaseSoon: () => void this.collectGarbage().catch(warn),
      release: async ({ disk }) => {
        await this.collectGarbage().catch(warn);
        if (disk) await store.trash.idle();
      },
    };
  }

  /** Removes, in the background, what pulls and loads that a crash cut off have left. */
  recover(): void {
    this.#context.releaseSoon();
  }

  resolve(name: string): Image {
    return resolveImage(this.#context.table, name);
  }

  /** As `resolve`, undefined where there is no such image. Throws "invalid" for what cannot be a name. */
  find(name: string): Image | undefined {
    return findImage(this.#context.table, name);
  }

  /** Bytes of the unpacked layers. Throws "not-found". */
  sizeOf(chain: readonly Digest[]): number {
    return this.#context.store.layers.size(chain);
  }

  list(query: ImageListQuery): ImageSummary[] {
    const { table, store, users } = this.#context;
    return listImages(table, store.layers, users, query);
  }

  async inspect(name: string, options: { platform?: Platform; manifests: boolean }): Promise<ImageInspect> {
    const { store, users } = this.#context;
    const image = this.resolve(name);
    assertPlatform(image, name, options.platform);
    const answer = await inspectImage(image, store.layers);
    return options.manifests ? { ...answer, Manifests: [manifestSummary(image, store.layers, users)] } : answer;
  }

  history(name: string, options: { platform?: Platform }): HistoryItem[] {
    const image = this.resolve(name);
    assertPlatform(image, name, options.platform);
    return historyOf(image, this.#context.table, this.#context.store.layers);
  }

  /** An empty tag is the repository's own, or `latest`. */
  tag(name: string, repository: string, tag: string): void {
    tagImage(this.#context, name, repository, tag);
  }

  /** Answers at once; the disk is freed in the background. */
  remove(name: string, query: ImageRemoveQuery): ImageDeleteItem[] {
    return removeImage(this.#context, name, query);
  }

  /** Answers when the disk is freed, which it measures. */
  async prune(filters: Filters): Promise<ImagesPruneResponse> {
    const removed = pruneImages({ ...this.#context, releaseSoon: () => undefined }, filters);
    const { bytes } = await this.collectGarbage();
    this.#context.emit("image", "prune", "", { reclaimed: String(bytes) });
    return { ...removed, SpaceReclaimed: bytes };
  }

  /** Makes an image of a parent and at most one more layer, which the caller leases and has unpacked. */
  create(options: CreateOptions): Image {
    return createImage(this.#context, options);
  }

  pull(query: ImagePullQuery, signal: AbortSignal): AsyncIterable<ProgressMessage> {
    return streamProgress(signal, (progress, either) => pullImages(this.#context, query, progress, either));
  }

  load(
    body: AsyncIterable<Uint8Array>,
    options: { quiet: boolean; platforms: Platform[] },
    signal: AbortSignal,
  ): AsyncIterable<ProgressMessage> {
    return streamProgress(signal, (progress, either) => loadImages(this.#context, body, options, progress, either));
  }

  importImage(
    body: AsyncIterable<Uint8Array>,
    query: ImageImportQuery,
    signal: AbortSignal,
  ): AsyncIterable<ProgressMessage> {
    return streamProgress(signal, (progress, either) => importImage(this.#context, body, query, progress, either));
  }

  /** A docker-archive that is an OCI layout too, the same bytes for the same images. Rejects before the first byte. */
  async save(
    names: string[],
    options: { platforms: Platform[] },
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>> {
    return saveImages(this.#context, names, options, signal);
  }

  /** Makes `busybox`, `debian:SUITE` or `ubuntu:SUITE` from a distribution's packages. */
  bootstrap(name: string, options: { mirror?: string }, signal: AbortSignal): AsyncIterable<ProgressMessage> {
    return streamProgress(signal, (progress, either) => bootstrapImage(this.#context, name, options, progress, either));
  }

  /** What images keep from the garbage collector. */
  roots(): Roots {
    const blobs = new Set<Digest>();
    const layers = new Set<Digest>();
    for (const image of this.#context.table.all()) {
      const parts = partsOf(image);
      for (const digest of parts.blobs) blobs.add(digest);
      for (const diffId of parts.layers) layers.add(diffId);
    }
    return { blobs, layers };
  }

  /** Removes blobs and layers that nothing names. Calls during a run share one that begins after it. */
  collectGarbage(): Promise<Collected> {
    if (this.#collecting === undefined) return this.#collect();
    this.#next ??= this.#collecting
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.#collect();
      });
    return this.#next;
  }

  #collect(): Promise<Collected> {
    this.#collecting = this.#garbage
      .collect(() => this.roots())
      .finally(() => {
        this.#collecting = undefined;
      });
    return this.#collecting;
  }
}
