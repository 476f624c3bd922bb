/** Routes of `/containers` and what they need of an engine. */
import type { ContainerConfig, ContainerCreateRequest, ContainerCreateResponse } from "#api/types/container-config.ts";
import type { ContainerStats } from "#api/types/container-stats.ts";
import type {
  CommitResponse,
  ContainerInspect,
  ContainersPruneResponse,
  ContainerSummary,
  ContainerUpdateBody,
  ContainerUpdateResponse,
  FilesystemChange,
  TopResponse,
  WaitResponse,
} from "#api/types/container.ts";
import type {
  ContainerAttachQuery,
  ContainerCommitQuery,
  ContainerListQuery,
  ContainerLogsQuery,
  ContainerRemoveQuery,
  ContainerStatsQuery,
  ContainerStopQuery,
  ContainerWaitQuery,
  Filters,
} from "#api/types/query.ts";
import { commitConfigSchema, containerCreateSchema, containerUpdateSchema } from "#api/schemas/container.ts";
import type { WaitCondition } from "#api/types/container.ts";
import type { Platform } from "#api/types/system.ts";
import { EngineError, withContext } from "#lib/errors.ts";
import type { Hijack } from "#lib/http/hijack.ts";
import { type ApiRouter, compareVersions, type Exchange } from "../api.ts";
import { type OutgoingArchive, sendArchive, sendBytes, sendRecords, supported } from "../streams.ts";
import { addArchiveRoutes, type ContainerArchiveBackend } from "./archive.ts";
import { addAttachWebSocket } from "./attach-websocket.ts";
import { adaptCreateRequest } from "./create-request.ts";
import { inspectOf, listOf } from "./old-versions.ts";
import { adaptUpdateRequest } from "./update-request.ts";

/** What a backend may answer at once or later. */
export type Awaitable<T> = T | Promise<T>;

/**
 * Every `id` is what the client sent: a full id, a unique prefix or a name. All throw an EngineError:
 * `not-found` (`No such container: x`), `conflict`, `invalid`; `not-modified` where Docker answers 304.
 */
export interface ContainerStateBackend {
  /** `name` is empty where the client gave none. Rejects with not-found (`No such image: x`) without the image. */
  create(name: string, request: ContainerCreateRequest, platform?: Platform): Awaitable<ContainerCreateResponse>;
  /** Rejects with not-modified when it runs already. */
  start(id: string, options: { detachKeys?: string }): Awaitable<void>;
  /** Rejects with not-modified when it is stopped already. Goes on when the client leaves. */
  stop(id: string, options: ContainerStopQuery): Awaitable<void>;
  restart(id: string, options: ContainerStopQuery): Awaitable<void>;
  /** `signal` is a name with or without SIG, a number, or empty for KILL. */
  kill(id: string, signal: string): Awaitable<void>;
  remove(id: string, options: ContainerRemoveQuery): Awaitable<void>;
  rename(id: string, name: string): Awaitable<void>;
  /** In characters. */
  resize(id: string, height: number, width: number): Awaitable<void>;
  prune(filters: Filters): Awaitable<ContainersPruneResponse>;
}

export interface ContainerQueryBackend {
  list(query: ContainerListQuery): Awaitable<ContainerSummary[]>;
  inspect(id: string, options: { size: boolean }): Awaitable<ContainerInspect>;
}

export interface ContainerStreamBackend {
  /**
   * The outer promise settles once the wait is registered (clients start the container only then) and rejects for
   * what deserves an HTTP status; `result` settles at the exit. After `signal` nobody looks at it any more.
   */
  wait(id: string, query: ContainerWaitQuery, signal: AbortSignal): Awaitable<{ result: Promise<WaitResponse> }>;
  /** `stream` yields bytes ready for the wire: raw with a tty, else framed (`#lib/http/stdcopy.ts`). */
  logs(
    id: string,
    query: ContainerLogsQuery,
    signal: AbortSignal,
  ): Awaitable<{ tty: boolean; stream: AsyncIterable<Uint8Array> }>;
  /**
   * Calls `hijack` once nothing can be refused any more, writes output in wire form as `logs` does and closes the
   * connection. Settles when the attachment is over: container stopped, client gone, or detach keys typed.
   */
  attach(id: string, query: ContainerAttachQuery, hijack: Hijack): Promise<void>;
}

export interface ContainerCommitBackend {
  /** `config` overrides the container's; absent where the client sent no body. */
  commit(query: ContainerCommitQuery, config?: Partial<ContainerConfig>): Awaitable<CommitResponse>;
}

/** Operations that answer `501 … is not supported yet` while an engine lacks them. */
export interface ContainerOptionalBackend {
  top(id: string, psArguments: string): Awaitable<TopResponse>;
  pause(id: string): Awaitable<void>;
  unpause(id: string): Awaitable<void>;
  update(id: string, body: ContainerUpdateBody): Awaitable<ContainerUpdateResponse>;
  /** One sample per second until `signal`, or a single one unless `stream`. */
  stats(id: string, query: ContainerStatsQuery, signal: AbortSignal): AsyncIterable<ContainerStats>;
  changes(id: string): Awaitable<FilesystemChange[]>;
  /** A tar of the root file system. Rejects before the first byte for what deserves a status. */
  exportRootfs(id: string, signal: AbortSignal): Promise<OutgoingArchive>;
}

export type ContainerBackend = ContainerStateBackend &
  ContainerQueryBackend &
  ContainerStreamBackend &
  ContainerCommitBackend &
  Partial<ContainerOptionalBackend & ContainerArchiveBackend>;

/** `/containers` and `/commit`. `unifiedCgroups`: the host has cgroup v2 alone. */
export function addContainerRoutes(router: ApiRouter, backend: ContainerBackend, unifiedCgroups: boolean): void {
  router.add("GET", "/containers/json", async (exchange) => {
    const { query } = exchange;
    const list = await backend.list({
      all: query.flag("all"),
      limit: query.integer("limit") ?? 0,
      size: query.flag("size"),
      filters: query.filters(),
    });
    exchange.json(200, listOf(exchange.version, list));
  });
  router.add("POST", "/containers/create", async (exchange) => {
    const request = await exchange.requiredBody(containerCreateSchema);
    const warnings = adaptCreateRequest(request, exchange.version, unifiedCgroups);
    const platform =
      compareVersions(exchange.version, "1.41") < 0 ? undefined : exchange.query.platformText("platform");
    const answer = await backend.create(exchange.query.text("name"), request, platform);
    exchange.json(201, { ...answer, Warnings: [...answer.Warnings, ...warnings] });
  });
  router.add("POST", "/containers/prune", async (exchange) => {
    exchange.json(200, await backend.prune(exchange.query.filters()));
  });
  router.add("GET", "/containers/{id}/json", async (exchange) => {
    const container = await backend.inspect(exchange.param("id"), { size: exchange.query.flag("size") });
    exchange.json(200, inspectOf(exchange.version, container));
  });
  addStateRoutes(router, backend);
  addStreamRoutes(router, backend);
  addOptionalRoutes(router, backend);
  router.add("POST", "/commit", async (exchange) => {
    const { query } = exchange;
    const config = await exchange.body(commitConfigSchema);
    const answer = await backend.commit(
      {
        container: query.text("container"),
        repo: query.text("repo"),
        tag: query.text("tag"),
        comment: query.text("comment"),
        author: query.text("author"),
        pause: query.flag("pause", true),
        changes: query
          .list("changes")
          .flatMap((text) => text.split("\n"))
          .filter((line) => line.trim() !== ""),
      },
      config,
    );
    exchange.json(201, answer);
  });
}

function addStateRoutes(router: ApiRouter, backend: ContainerBackend): void {
  const change = (path: string, work: (exchange: Exchange, id: string) => Awaitable<void>, method = "POST"): void => {
    router.add(method, path, async (exchange) => {
      await work(exchange, exchange.param("id"));
      exchange.noContent();
    });
  };
  const stopQuery = ({ query, version }: Exchange): ContainerStopQuery => {
    const timeout = query.integer("t");
    const signal = compareVersions(version, "1.42") < 0 ? undefined : query.optional("signal");
    return { ...(signal !== undefined && { signal }), ...(timeout !== undefined && { timeout }) };
  };
  change("/containers/{id}/start", ({ query, request }, id) => {
    // An empty object is no configuration.
    if (request.body.remaining > 7) {
      throw new EngineError(
        "invalid",
        "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24",
      );
    }
    const detachKeys = query.optional("detachKeys");
    return backend.start(id, detachKeys === undefined ? {} : { detachKeys });
  });
  change("/containers/{id}/stop", (exchange, id) => backend.stop(id, stopQuery(exchange)));
  change("/containers/{id}/restart", (exchange, id) => backend.restart(id, stopQuery(exchange)));
  change("/containers/{id}/kill", ({ query }, id) =>
    withContext(`cannot kill container: ${id}`, () => backend.kill(id, query.text("signal"))),
  );
  change("/containers/{id}/rename", ({ query }, id) => backend.rename(id, query.text("name")));
  change("/containers/{id}/pause", (_, id) => supported(backend.pause?.bind(backend), "pausing a container")(id));
  change("/containers/{id}/unpause", (_, id) => supported(backend.unpause?.bind(backend), "unpausing a container")(id));
  router.add("POST", "/containers/{id}/resize", async (exchange) => {
    const { query } = exchange;
    await backend.resize(exchange.param("id"), query.size("h", "height"), query.size("w", "width"));
    exchange.response.send(200);
  });
  change(
    // A link is named by two names and a slash.
    "/containers/{id:.*}",
    ({ query }, id) =>
      backend.remove(id, { force: query.flag("force"), volumes: query.flag("v"), link: query.flag("link") }),
    "DELETE",
  );
}

const CONDITIONS: readonly string[] = ["not-running", "next-exit", "removed"];

function addStreamRoutes(router: ApiRouter, backend: ContainerBackend): void {
  router.add("POST", "/containers/{id}/wait", async (exchange) => {
    const old = compareVersions(exchange.version, "1.30") < 0;
    const condition = old ? "not-running" : exchange.query.text("condition") || "not-running";
    if (!CONDITIONS.includes(condition)) throw new EngineError("invalid", `invalid condition: "${condition}"`);
    const signal = exchange.request.signal;
    const { result } = await backend.wait(exchange.param("id"), { condition: condition as WaitCondition }, signal);
    // The head goes now: clients start the container once they have it.
    const body = exchange.response.stream(200, "application/json");
    const gone = Promise.withResolvers<undefined>();
    signal.addEventListener("abort", () => gone.resolve(undefined), { once: true });
    const answer = await Promise.race([result, gone.promise]);
    if (answer !== undefined) void body.write(`${JSON.stringify(answer)}\n`);
    body.end();
  });
  router.add("GET", "/containers/{id}/logs", async (exchange) => {
    const { query, request } = exchange;
    const tail = query.text("tail");
    const lines = tail === "" || tail === "all" ? undefined : Number(tail);
    const since = query.time("since");
    const until = query.time("until");
    const { tty, stream } = await backend.logs(
      exchange.param("id"),
      {
        follow: query.flag("follow"),
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr"),
        timestamps: query.flag("timestamps"),
        details: query.flag("details"),
        ...(lines !== undefined && Number.isInteger(lines) && lines >= 0 && { tail: lines }),
        ...(since !== undefined && { since }),
        ...(until !== undefined && { until }),
      },
      request.signal,
    );
    await sendBytes(exchange, streamType(exchange, tty), stream);
  });
  router.add("POST", "/containers/{id}/attach", async (exchange) => {
    const { query } = exchange;
    const detachKeys = query.optional("detachKeys");
    await backend.attach(
      exchange.param("id"),
      {
        logs: query.flag("logs"),
        stream: query.flag("stream"),
        stdin: query.flag("stdin"),
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr"),
        ...(detachKeys !== undefined && { detachKeys }),
      },
      ({ tty }) => exchange.response.hijack(streamType(exchange, tty)),
    );
  });
  addAttachWebSocket(router, backend);
}

function addOptionalRoutes(router: ApiRouter, backend: ContainerBackend): void {
  router.add("GET", "/containers/{id}/top", async (exchange) => {
    const top = supported(backend.top?.bind(backend), "listing a container's processes");
    exchange.json(200, await top(exchange.param("id"), exchange.query.text("ps_args") || "-ef"));
  });
  router.add("POST", "/containers/{id}/update", async (exchange) => {
    const update = supported(backend.update?.bind(backend), "updating a container");
    const body = await exchange.requiredBody(containerUpdateSchema);
    exchange.json(200, await update(exchange.param("id"), adaptUpdateRequest(body, exchange.version)));
  });
  router.add("GET", "/containers/{id}/stats", async (exchange) => {
    const stats = supported(backend.stats?.bind(backend), "container statistics");
    const { query, request } = exchange;
    const stream = query.flag("stream", true);
    const oneShot = compareVersions(exchange.version, "1.41") >= 0 && query.flag("one-shot");
    if (stream && oneShot) throw new EngineError("invalid", "cannot have stream=true and one-shot=true");
    const samples = stats(exchange.param("id"), { stream, oneShot }, request.signal);
    await sendRecords(exchange, samples, request.signal);
  });
  router.add("GET", "/containers/{id}/changes", async (exchange) => {
    const changes = supported(backend.changes?.bind(backend), "listing a container's changes");
    const list = await changes(exchange.param("id"));
    exchange.json(200, list.length === 0 ? null : list);
  });
  router.add("GET", "/containers/{id}/export", async (exchange) => {
    const exportRootfs = supported(backend.exportRootfs?.bind(backend), "exporting a container");
    await sendArchive(
      exchange,
      "application/octet-stream",
      await exportRootfs(exchange.param("id"), exchange.request.signal),
    );
  });
  addArchiveRoutes(router, backend);
}

/** Media types of hijacked and log streams; clients before 1.42 know one only. */
export function streamType({ version }: Exchange, tty: boolean): string {
  return tty || compareVersions(version, "1.42") < 0
    ? "application/vnd.docker.raw-stream"
    : "application/vnd.docker.multiplexed-stream";
}
