/** Merges an image's run configuration into a create request, as Docker does at create time. */
import type { ContainerConfig, HealthConfig } from "#api/types/container-config.ts";
import type { ImageRunConfig } from "#api/types/image.ts";
import { EngineError } from "#lib/errors.ts";

/**
 * Returns a new configuration: the client's values win, environment and labels are united by key,
 * and a client's entrypoint drops the image's command. An entrypoint of one empty string clears the image's.
 *
 * Throws kind "invalid" `no command specified` where neither side names a program.
 */
export function mergeImageConfig(config: ContainerConfig, image: ImageRunConfig): ContainerConfig {
  const merged: ContainerConfig = {
    ...config,
    User: config.User || (image.User ?? ""),
    WorkingDir: config.WorkingDir || (image.WorkingDir ?? ""),
    Volumes: config.Volumes || image.Volumes ? { ...image.Volumes, ...config.Volumes } : null,
    Env: mergeEnvironment(config.Env ?? [], image.Env ?? []),
    Labels: { ...image.Labels, ...config.Labels },
    ...mergeCommand(config, image),
  };
  const exposed = { ...image.ExposedPorts, ...config.ExposedPorts };
  if (Object.keys(exposed).length > 0) merged.ExposedPorts = exposed;
  else delete merged.ExposedPorts;
  const stopSignal = config.StopSignal || image.StopSignal;
  if (stopSignal) merged.StopSignal = stopSignal;
  const shell = config.Shell?.length ? config.Shell : image.Shell;
  if (shell?.length) merged.Shell = shell;
  const health = mergeHealthcheck(config.Healthcheck ?? undefined, image.Healthcheck);
  if (health) merged.Healthcheck = health;
  if (!merged.Entrypoint?.length && !merged.Cmd?.length) throw new EngineError("invalid", "no command specified");
  return merged;
}

function mergeCommand(config: ContainerConfig, image: ImageRunConfig): Pick<ContainerConfig, "Entrypoint" | "Cmd"> {
  const given = config.Entrypoint ?? [];
  if (given.length === 1 && given[0] === "") return { Entrypoint: null, Cmd: config.Cmd };
  if (given.length > 0) return { Entrypoint: given, Cmd: config.Cmd };
  return {
    // An empty list, unlike null, says that the client wants no entrypoint.
    Entrypoint: config.Entrypoint === null ? (image.Entrypoint ?? null) : config.Entrypoint,
    Cmd: config.Cmd?.length ? config.Cmd : (image.Cmd ?? null),
  };
}

function mergeEnvironment(own: readonly string[], image: readonly string[]): string[] {
  const keys = new Set(own.map((entry) => entry.split("=", 1)[0]));
  return [...own, ...image.filter((entry) => !keys.has(entry.split("=", 1)[0]))];
}

function mergeHealthcheck(own: HealthConfig | undefined, image: HealthConfig | undefined): HealthConfig | undefined {
  if (own === undefined) return image;
  if (image === undefined) return own;
  const merged: HealthConfig = { ...image };
  for (const [key, value] of Object.entries(own)) {
    const unset = value === null || value === 0 || (Array.isArray(value) && value.length === 0);
    if (!unset) Object.assign(merged, { [key]: value });
  }
  return merged;
}
