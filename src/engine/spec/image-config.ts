/** Merges an image's run configuration into a create request, as Docker does at create time. */
import type { ContainerConfig } from "#api/types/container.ts";
import type { ImageRunConfig } from "#api/types/image.ts";
import { EngineError } from "#lib/errors.ts";

/**
 * Returns a new configuration: the client's values win, environment and labels are united by key,
 * and a client's entrypoint drops the image's command.
 *
 * Throws kind "invalid" `no command specified` where neither side names a program.
 */
export function mergeImageConfig(config: ContainerConfig, image: ImageRunConfig): ContainerConfig {
  throw new EngineError("not-implemented", `cannot merge ${config.Image} ${String(image.User)}`);
}
