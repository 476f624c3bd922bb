/** Makes the OCI runtime spec of a container from Docker's two configurations and the paths resolved for it. */
import type { ContainerConfig, HostConfig } from "#api/types/container.ts";
import { EngineError } from "#lib/errors.ts";
import type { ResolvedMount } from "#engine/volume/mount.ts";
import type { HostFacts } from "./host.ts";
import type { RuntimeSpec } from "./types.ts";
import type { ResolvedUser } from "./user.ts";

export interface SpecInput {
  id: string;
  /** With the image's configuration already merged in (`mergeImageConfig`). */
  config: ContainerConfig;
  hostConfig: HostConfig;
  /** Absolute path of the mounted root file system. */
  rootfs: string;
  user: ResolvedUser;
  mounts: readonly ResolvedMount[];
  /** Host files bound over those of the image; undefined ones are not bound. */
  files: { hostname?: string; hosts?: string; resolvConf?: string };
  /**
   * `network` is a netns path, "host" or "new" (an empty one of the runtime's own). `pid` and `ipc` are the paths
   * `/proc/<pid>/ns/…` where the mode is `container:X` (or a kept namespace), else undefined.
   */
  namespaces: { network: { path: string } | "host" | "new"; pid?: string; ipc?: string };
  /** Set where the daemon holds shared memory for `shareable` or `container:X`: bound over /dev/shm. */
  shmPath?: string;
}

export interface SpecResult {
  spec: RuntimeSpec;
  /** For the client: what was asked for and could not be had in full. */
  warnings: string[];
}

/**
 * Synchronous and quick (well below 1 ms): reads the file system only for `--device` and privileged devices.
 * Throws kind "invalid" with Docker's words where a value cannot be honoured.
 */
export function buildSpec(input: SpecInput, host: HostFacts): SpecResult {
  throw new EngineError("not-implemented", `cannot build the spec of ${input.id} on ${host.arch}`);
}
