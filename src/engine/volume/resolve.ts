/** Turns Binds, Mounts, Tmpfs, VolumesFrom and an image's volumes into one list of mounts, by Docker's rules. */
import type { HostConfig, StringSet } from "#api/types/container.ts";
import { EngineError } from "#lib/errors.ts";
import type { ResolvedMount } from "./mount.ts";

export interface ResolveMountsInput {
  hostConfig: HostConfig;
  /** `Config.Volumes` after the merge with the image's: each that nothing else covers becomes an anonymous volume. */
  volumes: StringSet | null;
  /** Mounts of the container that a `VolumesFrom` entry names (name or id, mode removed). Throws not-found. */
  mountsOf(container: string): readonly ResolvedMount[];
  /** Where a volume's data is (Layout.volumeData). */
  volumePath(name: string): string;
}

/**
 * Sorted by depth so that parents are mounted first. Looks at bind sources on the host but makes nothing:
 * `prepareBindSources` does, when the container is started.
 *
 * Throws kind "invalid" with Docker's words.
 */
export function resolveMounts(input: ResolveMountsInput): ResolvedMount[] {
  throw new EngineError("not-implemented", `cannot resolve ${String(input.hostConfig.Binds)}`);
}

/** Makes missing host folders of binds that ask for it; throws `bind source path does not exist` for others. */
export function prepareBindSources(mounts: readonly ResolvedMount[]): void {
  throw new EngineError("not-implemented", `cannot prepare ${mounts.length} sources`);
}
