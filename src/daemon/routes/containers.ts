/** Routes of `/containers` and what they need of an engine. */
import type {
  CommitResponse,
  ContainerConfig,
  ContainerCreateRequest,
  ContainerCreateResponse,
  ContainerInspect,
  ContainersPruneResponse,
  ContainerStats,
  ContainerSummary,
  ContainerUpdateBody,
  ContainerUpdateResponse,
  FilesystemChange,
  PathStat,
  TopResponse,
  WaitResponse,
} from "#api/types/container.ts";
import type {
  ArchivePutQuery,
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
import type { Platform } from "#api/types/system.ts";
import type { Hijack } from "#lib/http/hijack.ts";

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
  logs(id: string, query: ContainerLogsQuery, signal: AbortSignal): Awaitable<{ tty: boolean; stream: AsyncIterable<Uint8Array> }>;
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
  exportRootfs(id: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
}

/** `docker cp`; also optional. Paths are those inside the container. */
export interface ContainerArchiveBackend {
  statPath(id: string, path: string): Awaitable<PathStat>;
  getArchive(id: string, path: string, signal: AbortSignal): Promise<{ stat: PathStat; stream: AsyncIterable<Uint8Array> }>;
  /** `body` is a tar, plain or compressed. */
  putArchive(id: string, query: ArchivePutQuery, body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>;
}

export type ContainerBackend = ContainerStateBackend &
  ContainerQueryBackend &
  ContainerStreamBackend &
  ContainerCommitBackend &
  Partial<ContainerOptionalBackend & ContainerArchiveBackend>;
