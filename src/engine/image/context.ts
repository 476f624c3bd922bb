/** What the operations on images work with; made once by the image service. */
import type { Logger } from "#lib/log.ts";
import type { Digest } from "#oci/digest.ts";
import type { RegistryClient } from "#registry/client/repository.ts";
import type { Layout } from "#store/layout.ts";
import type { Lease } from "#store/leases.ts";
import { isDiskFull } from "#store/partial.ts";
import type { Store } from "#store/store.ts";
import type { SandboxHost } from "./bootstrap/sandbox.ts";
import type { ImageTable } from "./table.ts";
import type { Emit, Image, ImageUsers } from "./types.ts";

export interface ImageContext {
  readonly table: ImageTable;
  readonly store: Pick<Store, "content" | "layers" | "leases" | "trash">;
  readonly registry: RegistryClient;
  readonly layout: Layout;
  readonly log: Logger;
  readonly emit: Emit;
  readonly users: ImageUsers;
  /** Where `bootstrap` configures packages. */
  readonly sandbox: SandboxHost;
  /** Something may be unused now: collect it soon, in the background. */
  readonly releaseSoon: () => void;
  /** The same at once; with `disk`, resolves only when its space is free again. Never rejects. */
  readonly release: (options: { disk: boolean }) => Promise<void>;
}

/**
 * Runs work that leases what it stores. What it has not come to refer to by its end is collected: in the background,
 * or, where it fails, before its error is told, so that whoever hears of a full disk finds the space free again.
 */
export async function leasing<T>(
  context: Pick<ImageContext, "store" | "release" | "releaseSoon">,
  work: (lease: Lease) => Promise<T>,
): Promise<T> {
  try {
    const result = await leased(context, work);
    context.releaseSoon();
    return result;
  } catch (error) {
    await context.release({ disk: isDiskFull(error) });
    throw error;
  }
}

async function leased<T>({ store }: Pick<ImageContext, "store">, work: (lease: Lease) => Promise<T>): Promise<T> {
  using lease = store.leases.create();
  return await work(lease);
}

/** Emits an image event with Docker's attributes: the image's labels, and the name by which it was meant. */
export function announce(context: ImageContext, action: string, id: string, name: string, image?: Image): void {
  context.emit("image", action, id, { ...image?.config.config.Labels, name });
}

/** Everything an image consists of besides its row: blobs of its layers, and its diffIDs. */
export function partsOf(image: Image): { blobs: Digest[]; layers: readonly Digest[] } {
  return { blobs: image.manifest.layers.map(({ digest }) => digest), layers: image.chain };
}
