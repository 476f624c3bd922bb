/** What the database keeps of a container. */
import type { ContainerConfig, HostConfig, NetworkingConfig } from "#api/types/container-config.ts";
import type { ContainerStatus, Health } from "#api/types/container.ts";
import type { ResolvedMount } from "#engine/volume/mount.ts";
import type { Span } from "#engine/users/subordinate.ts";
import { NEVER } from "#lib/time.ts";
import type { Digest } from "#oci/digest.ts";
import type { ContainerLink } from "./links.ts";

/** Fixed when the container is made; only its name and what `update` changes are not. */
export interface ContainerRecord {
  id: string;
  name: string;
  /** RFC 3339. */
  created: string;
  imageId: Digest;
  /** diffIDs of the image, bottom first: the container runs from its layers even when the image is untagged. */
  chain: Digest[];
  platform: string;
  /** With the image's run configuration merged in. */
  config: ContainerConfig;
  hostConfig: HostConfig;
  networkingConfig: NetworkingConfig;
  /** Taken out of the network of its mode. */
  leftMain?: boolean;
  mounts: ResolvedMount[];
  /** Those of the default bridge; `hostConfig.Links` has those of other networks. */
  links?: ContainerLink[];
  /** Ids of the host that are this container's alone (`--userns=auto`). */
  idSpan?: Span;
  /** Variables that were taken from the container while it ran: its first process has them, and nobody else. */
  unsetEnv?: string[];
}

/** Changes with every start and exit. */
export interface StateRecord {
  status: ContainerStatus;
  /** 0 while nothing runs. */
  pid: number;
  /** Clock ticks since boot at which `pid` was started: tells it from a later process of the same number. */
  pidStartTime: number;
  exitCode: number;
  error: string;
  oomKilled: boolean;
  /** RFC 3339; `NEVER` before the first start or exit. */
  startedAt: string;
  finishedAt: string;
  restartCount: number;
  /** Stopped by a user's word: no restart policy starts it again (but `always` does when the daemon starts). */
  stoppedByUser: boolean;
  /** From its first start on, where it has a health check. Its log may be newer in memory than in the database. */
  health?: Health;
  /** Its run was ended because it was unhealthy and its restart policy starts it again then. */
  endedUnhealthy?: boolean;
}

export function initialState(): StateRecord {
  return {
    status: "created",
    pid: 0,
    pidStartTime: 0,
    exitCode: 0,
    error: "",
    oomKilled: false,
    startedAt: NEVER,
    finishedAt: NEVER,
    restartCount: 0,
    stoppedByUser: false,
  };
}

/** Whether a process of the container exists. */
export function isRunning(state: StateRecord): boolean {
  return state.status === "running" || state.status === "paused";
}
