/** Refuses at create time what could not be started, in Docker's words. */
import type { ContainerConfig, HostConfig } from "#api/types/container.ts";
import { EngineError } from "#lib/errors.ts";
import type { HostFacts } from "./host.ts";

/**
 * Checks a create request after `mergeImageConfig`. Returns warnings for the client.
 * Mutates `hostConfig` as Docker does: defaults are filled in (ShmSize, IpcMode, CgroupnsMode, MemorySwap…).
 *
 * Throws kind "invalid" (or "conflict" for options that exclude each other).
 */
export function validateContainer(config: ContainerConfig, hostConfig: HostConfig, host: HostFacts): string[] {
  throw new EngineError("not-implemented", `cannot validate ${config.Image} ${hostConfig.NetworkMode} ${host.arch}`);
}
