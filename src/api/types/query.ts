/** What the query strings of the Engine API hold once parsed: shared by the daemon's routes, the engine and clients. */
import type { WaitCondition } from "./container.ts";
import type { AuthConfig } from "./image.ts";
import type { Platform } from "./system.ts";

/** Values of each filter by name; both wire forms (`{"a":["b"]}`, `{"a":{"b":true}}`) end here. */
export type Filters = Readonly<Record<string, readonly string[]>>;

export interface ContainerListQuery {
  all: boolean;
  /** Newest n, whatever their state; 0 or less is no limit. */
  limit: number;
  size: boolean;
  filters: Filters;
}

/** Times are nanoseconds since the epoch. */
export interface ContainerLogsQuery {
  follow: boolean;
  stdout: boolean;
  stderr: boolean;
  timestamps: boolean;
  /** Lines from the end; undefined is all. */
  tail?: number;
  since?: bigint;
  until?: bigint;
  details: boolean;
}

export interface ContainerAttachQuery {
  /** Replay what was written so far. */
  logs: boolean;
  stream: boolean;
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  /** Undefined: the daemon's default, `ctrl-p,ctrl-q`. */
  detachKeys?: string;
}

/** `timeout` in seconds, -1 waits for ever, undefined is the container's own. */
export interface ContainerStopQuery {
  signal?: string;
  timeout?: number;
}

export interface ContainerRemoveQuery {
  force: boolean;
  volumes: boolean;
  link: boolean;
}

export interface ContainerWaitQuery {
  condition: WaitCondition;
}

export interface ContainerCommitQuery {
  container: string;
  repo: string;
  tag: string;
  comment: string;
  author: string;
  pause: boolean;
  /** Dockerfile instructions. */
  changes: string[];
}

export interface ContainerStatsQuery {
  stream: boolean;
  /** One sample at once, without `precpu_stats`. */
  oneShot: boolean;
}

/** `PUT /containers/{id}/archive`. */
export interface ArchivePutQuery {
  path: string;
  noOverwriteDirNonDir: boolean;
  copyUidGid: boolean;
}

export interface ImageListQuery {
  all: boolean;
  digests: boolean;
  sharedSize: boolean;
  manifests: boolean;
  filters: Filters;
}

export interface ImagePullQuery {
  fromImage: string;
  /** Tag or digest; empty with a reference that has none is `latest`, or every tag where `all` is set. */
  tag: string;
  platform?: Platform;
  auth?: AuthConfig;
}

export interface ImageImportQuery {
  /** `-` reads the body, anything else is a URL. */
  fromSrc: string;
  repo: string;
  tag: string;
  message: string;
  changes: string[];
  platform?: Platform;
}

export interface ImageRemoveQuery {
  force: boolean;
  noPrune: boolean;
}

export interface ImagePushQuery {
  tag: string;
  platform?: Platform;
  auth?: AuthConfig;
}

/** Times are nanoseconds since the epoch. */
export interface EventsQuery {
  since?: bigint;
  until?: bigint;
  filters: Filters;
}
