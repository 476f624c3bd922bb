/** The environment of a container's process, in Docker's order. */
import type { ContainerConfig } from "#api/types/container.ts";
import { EngineError } from "#lib/errors.ts";

/** PATH, HOSTNAME, TERM (tty), then the configuration's own entries over them, then HOME where nobody set it. An entry without `=` unsets. */
export function containerEnvironment(config: ContainerConfig, home: string): string[] {
  throw new EngineError("not-implemented", `cannot make the environment of ${config.Image} in ${home}`);
}

/** Environment of an exec: the container's, then `extra` over it, then TERM (tty) and HOME. */
export function execEnvironment(container: readonly string[], extra: readonly string[], tty: boolean, home: string): string[] {
  throw new EngineError("not-implemented", `cannot make the environment ${container.length} ${extra.length} ${tty} ${home}`);
}
