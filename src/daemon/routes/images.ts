/** Routes of `/images` and what they need of an engine. */
import type {
  AuthConfig,
  DistributionInspect,
  HistoryItem,
  ImageDeleteItem,
  ImageInspect,
  ImagesPruneResponse,
  ImageSummary,
  ProgressMessage,
  SearchResult,
} from "#api/types/image.ts";
import type {
  Filters,
  ImageImportQuery,
  ImageListQuery,
  ImagePullQuery,
  ImagePushQuery,
  ImageRemoveQuery,
} from "#api/types/query.ts";
import type { Platform } from "#api/types/system.ts";
import type { Awaitable } from "./containers.ts";

/** `name` is what the client sent: a reference, an id or a prefix of one. Rejects with not-found: `No such image: x`. */
export interface ImageQueryBackend {
  list(query: ImageListQuery): Awaitable<ImageSummary[]>;
  inspect(name: string, options: { platform?: Platform; manifests: boolean }): Awaitable<ImageInspect>;
  history(name: string, options: { platform?: Platform }): Awaitable<HistoryItem[]>;
}

export interface ImageChangeBackend {
  /** An empty tag is `latest`. */
  tag(name: string, repo: string, tag: string): Awaitable<void>;
  remove(name: string, query: ImageRemoveQuery): Awaitable<ImageDeleteItem[]>;
  prune(filters: Filters): Awaitable<ImagesPruneResponse>;
}

/**
 * Progress streams. What fails before the first message gets its HTTP status, what fails later becomes the last
 * message. Work stops when `signal` (the client left) is aborted.
 */
export interface ImageTransferBackend {
  pull(query: ImagePullQuery, signal: AbortSignal): AsyncIterable<ProgressMessage>;
  load(body: AsyncIterable<Uint8Array>, options: { quiet: boolean; platforms: Platform[] }, signal: AbortSignal): AsyncIterable<ProgressMessage>;
  importImage(body: AsyncIterable<Uint8Array>, query: ImageImportQuery, signal: AbortSignal): AsyncIterable<ProgressMessage>;
  /** A docker-archive with OCI layout. Rejects before the first byte for what deserves a status. */
  save(names: string[], options: { platforms: Platform[] }, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** Berth's own `POST /images/bootstrap`: makes `name` (`busybox`, `debian:SUITE`) from packages of this host's distribution. */
  bootstrap(name: string, options: { mirror?: string }, signal: AbortSignal): AsyncIterable<ProgressMessage>;
}

/** Answer `501 … is not supported yet` while an engine lacks them. */
export interface ImageRegistryBackend {
  push(name: string, query: ImagePushQuery, signal: AbortSignal): AsyncIterable<ProgressMessage>;
  search(term: string, options: { limit: number; filters: Filters; auth?: AuthConfig }, signal: AbortSignal): Promise<SearchResult[]>;
  distribution(name: string, options: { auth?: AuthConfig }, signal: AbortSignal): Promise<DistributionInspect>;
}

export type ImageBackend = ImageQueryBackend & ImageChangeBackend & ImageTransferBackend & Partial<ImageRegistryBackend>;
