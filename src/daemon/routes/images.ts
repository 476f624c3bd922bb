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
import { EngineError } from "#lib/errors.ts";
import { type ApiRouter, compareVersions, type Exchange } from "../api.ts";
import { sendBytes, sendRecords, supported } from "../streams.ts";
import type { Awaitable } from "./containers.ts";
import { imageOf, imagesOf } from "./old-versions.ts";

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
  load(
    body: AsyncIterable<Uint8Array>,
    options: { quiet: boolean; platforms: Platform[] },
    signal: AbortSignal,
  ): AsyncIterable<ProgressMessage>;
  importImage(
    body: AsyncIterable<Uint8Array>,
    query: ImageImportQuery,
    signal: AbortSignal,
  ): AsyncIterable<ProgressMessage>;
  /** A docker-archive with OCI layout. Rejects before the first byte for what deserves a status. */
  save(names: string[], options: { platforms: Platform[] }, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** Berth's own `POST /images/bootstrap`: makes `name` (`busybox`, `debian:SUITE`) from packages of this host's distribution. */
  bootstrap(name: string, options: { mirror?: string }, signal: AbortSignal): AsyncIterable<ProgressMessage>;
}

/** Answer `501 … is not supported yet` while an engine lacks them. */
export interface ImageRegistryBackend {
  push(name: string, query: ImagePushQuery, signal: AbortSignal): AsyncIterable<ProgressMessage>;
  search(
    term: string,
    options: { limit: number; filters: Filters; auth?: AuthConfig },
    signal: AbortSignal,
  ): Promise<SearchResult[]>;
  distribution(name: string, options: { auth?: AuthConfig }, signal: AbortSignal): Promise<DistributionInspect>;
}

export type ImageBackend = ImageQueryBackend &
  ImageChangeBackend &
  ImageTransferBackend &
  Partial<ImageRegistryBackend>;

/** `/images`, `/distribution` and `/auth`. */
export function addImageRoutes(router: ApiRouter, backend: ImageBackend): void {
  router.add("GET", "/images/json", async (exchange) => {
    const { query } = exchange;
    const answer = await backend.list({
      all: query.flag("all"),
      digests: query.flag("digests"),
      sharedSize: !before(exchange, "1.42") && query.flag("shared-size"),
      manifests: !before(exchange, "1.47") && query.flag("manifests"),
      filters: query.filters(),
    });
    exchange.json(200, imagesOf(exchange.version, answer));
  });
  addTransferRoutes(router, backend);
  router.add("POST", "/images/prune", async (exchange) => {
    exchange.json(200, await backend.prune(exchange.query.filters()));
  });
  router.add("GET", "/images/search", async (exchange) => {
    const search = supported(backend.search?.bind(backend), "searching a registry");
    const { query } = exchange;
    const options = { limit: query.integer("limit") ?? 0, filters: query.filters() };
    exchange.json(200, await search(query.text("term"), options, exchange.request.signal));
  });
  router.add("GET", "/images/{name:.*}/json", async (exchange) => {
    const { query } = exchange;
    const manifests = !before(exchange, "1.48") && query.flag("manifests");
    const [platform] = before(exchange, "1.49") ? [] : query.platforms("platform");
    if (manifests && platform !== undefined) {
      throw new EngineError("invalid", "conflicting options: manifests and platform options cannot both be set");
    }
    const image = await backend.inspect(exchange.param("name"), { manifests, ...(platform && { platform }) });
    exchange.json(200, imageOf(exchange.version, image));
  });
  router.add("GET", "/images/{name:.*}/history", async (exchange) => {
    const [platform] = before(exchange, "1.48") ? [] : exchange.query.platforms("platform");
    exchange.json(200, await backend.history(exchange.param("name"), platform ? { platform } : {}));
  });
  router.add("POST", "/images/{name:.*}/tag", async (exchange) => {
    await backend.tag(exchange.param("name"), exchange.query.text("repo"), exchange.query.text("tag"));
    exchange.response.send(201);
  });
  router.add("POST", "/images/{name:.*}/push", async (exchange) => {
    const push = supported(backend.push?.bind(backend), "pushing to a registry");
    const { signal } = exchange.request;
    await sendRecords(exchange, push(exchange.param("name"), { tag: exchange.query.text("tag") }, signal), signal);
  });
  router.add("DELETE", "/images/{name:.*}", async (exchange) => {
    const options = { force: exchange.query.flag("force"), noPrune: exchange.query.flag("noprune") };
    exchange.json(200, await backend.remove(exchange.param("name"), options));
  });
  router.add("GET", "/distribution/{name:.*}/json", async (exchange) => {
    const distribution = supported(backend.distribution?.bind(backend), "asking a registry about an image");
    exchange.json(200, await distribution(exchange.param("name"), {}, exchange.request.signal));
  });
  router.add("POST", "/auth", () => {
    supported(undefined, "logging in to a registry");
  });
}

function before({ version }: Exchange, other: string): boolean {
  return compareVersions(version, other) < 0;
}

/** Of an archive. */
function onePlatform(exchange: Exchange): Platform[] {
  if (before(exchange, "1.48")) return [];
  if (exchange.query.list("platform").length > 1) {
    throw new EngineError("invalid", "multiple platform parameters not supported");
  }
  return exchange.query.platforms("platform");
}

function addTransferRoutes(router: ApiRouter, backend: ImageBackend): void {
  router.add("POST", "/images/create", async (exchange) => {
    const { query, request } = exchange;
    const platform = query.platformText("platform");
    const fromImage = query.text("fromImage");
    const source = query.text("fromSrc");
    if (fromImage === "" && source !== "") {
      const options = {
        fromSrc: source,
        repo: query.text("repo"),
        tag: query.text("tag"),
        message: query.text("message"),
        changes: query.list("changes"),
        ...(platform && { platform }),
      };
      return sendRecords(exchange, backend.importImage(request.body, options, request.signal), request.signal);
    }
    if (fromImage === "") throw new EngineError("invalid", "fromImage or fromSrc is required");
    const options = { fromImage, tag: query.text("tag"), ...(platform && { platform }) };
    return sendRecords(exchange, backend.pull(options, request.signal), request.signal);
  });
  router.add("POST", "/images/load", (exchange) => {
    const { query, request } = exchange;
    const options = { quiet: query.flag("quiet"), platforms: onePlatform(exchange) };
    return sendRecords(exchange, backend.load(request.body, options, request.signal), request.signal);
  });
  router.add("POST", "/images/bootstrap", (exchange) => {
    const { query, request } = exchange;
    const mirror = query.optional("mirror");
    const options = mirror === undefined ? {} : { mirror };
    return sendRecords(exchange, backend.bootstrap(query.text("name"), options, request.signal), request.signal);
  });
  const save = async (exchange: Exchange, names: string[]): Promise<void> => {
    const { request } = exchange;
    const stream = await backend.save(names, { platforms: onePlatform(exchange) }, request.signal);
    await sendBytes(exchange, "application/x-tar", stream);
  };
  router.add("GET", "/images/get", (exchange) =>
    save(
      exchange,
      exchange.query.list("names").flatMap((names) => names.split(",")),
    ),
  );
  router.add("GET", "/images/{name:.*}/get", (exchange) => save(exchange, [exchange.param("name")]));
}
