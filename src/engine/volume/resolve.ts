/** Turns Binds, Mounts, Tmpfs, VolumesFrom and an image's volumes into one list of mounts, by Docker's rules. */
import { mkdirSync } from "node:fs";
import { posix } from "node:path";
import type { HostConfig, StringSet } from "#api/types/container-config.ts";
import { EngineError } from "#lib/errors.ts";
import { fromMount, type MountSources } from "./from-mount.ts";
import type { ResolvedMount } from "./mount.ts";
import { assertDriver, bindMount, cleanDestination, exists, missingSource, tmpfs, volume } from "./mount-forms.ts";
import { checkVolumeName, randomVolumeName } from "./names.ts";
import { parseVolumeSpec } from "./spec.ts";

export interface ResolveMountsInput extends MountSources {
  hostConfig: HostConfig;
  /** `Config.Volumes` after the merge with the image's: each that nothing else covers becomes an anonymous volume. */
  volumes: StringSet | null;
  /** Mounts of the container that a `VolumesFrom` entry names (name or id, mode removed). Throws not-found. */
  mountsOf: (container: string) => readonly ResolvedMount[];
}

/**
 * Sorted by depth so that parents are mounted first. Looks at bind sources on the host but makes nothing:
 * `prepareBindSources` does, when the container is started.
 *
 * Throws kind "invalid" with Docker's words.
 */
export function resolveMounts(input: ResolveMountsInput): ResolvedMount[] {
  const { hostConfig, volumes, mountsOf, volumePath } = input;
  const asked = new Map<string, ResolvedMount>();
  const ask = (mount: ResolvedMount): void => {
    if (asked.has(mount.destination)) throw new EngineError("invalid", `Duplicate mount point: ${mount.destination}`);
    asked.set(mount.destination, mount);
  };
  const driver = hostConfig.VolumeDriver;
  for (const bind of hostConfig.Binds ?? []) ask(fromBind(bind, driver, volumePath));
  for (const mount of hostConfig.Mounts ?? []) ask(fromMount(mount, input));
  for (const [destination, options] of Object.entries(hostConfig.Tmpfs ?? {})) {
    ask(tmpfs(cleanDestination(destination, destination), options.split(",").filter(Boolean), false));
  }
  const all = new Map<string, ResolvedMount>();
  for (const entry of hostConfig.VolumesFrom ?? []) {
    for (const mount of inherited(entry, mountsOf)) all.set(mount.destination, mount);
  }
  for (const [destination, mount] of asked) all.set(destination, mount);
  for (const path of Object.keys(volumes ?? {})) {
    const destination = cleanDestination(path, path);
    if (all.has(destination)) continue;
    all.set(destination, volume(assertDriver(driver, randomVolumeName()), true, destination, volumePath));
  }
  const depth = ({ destination }: ResolvedMount): number => destination.split("/").length;
  return [...all.values()].toSorted((a, b) => depth(a) - depth(b) || (a.destination < b.destination ? -1 : 1));
}

/** Makes missing host folders of binds that ask for it; throws `bind source path does not exist` for others. */
export function prepareBindSources(mounts: readonly ResolvedMount[]): void {
  for (const { bind, source } of mounts) {
    if (bind === undefined || exists(source)) continue;
    if (!bind.createSource) throw missingSource(source);
    mkdirSync(source, { recursive: true, mode: 0o755 });
  }
}

/** `source:destination[:options]`, `destination` alone being an anonymous volume. */
function fromBind(text: string, driver: string, volumePath: (name: string) => string): ResolvedMount {
  const { source, destination: target, mode, readOnly, copy, propagation, owners } = parseVolumeSpec(text);
  const destination = cleanDestination(target, text);
  if (source.startsWith("/")) {
    return {
      ...bindMount(posix.normalize(source), destination, readOnly, propagation ?? "rprivate"),
      mode,
      bind: {
        createSource: true,
        nonRecursive: false,
        readOnlyNonRecursive: false,
        readOnlyForceRecursive: false,
        explicitPropagation: propagation !== undefined,
      },
      ...(owners && { owners }),
    };
  }
  if (propagation !== undefined) {
    const why = 'invalid mount config for type "volume": field BindOptions must not be specified';
    throw new EngineError("invalid", `invalid volume specification: '${text}': ${why}`);
  }
  const name = assertDriver(driver, source === "" ? randomVolumeName() : checkVolumeName(source));
  const mount = volume(name, source === "", destination, volumePath);
  if (mount.volume !== undefined) mount.volume.copy = copy;
  return { ...mount, mode: mode || "z", readOnly, ...(owners && { owners }) };
}

/** `container[:ro|rw]`. */
function inherited(entry: string, mountsOf: ResolveMountsInput["mountsOf"]): ResolvedMount[] {
  if (entry === "") throw new EngineError("invalid", "volumes-from specification cannot be an empty string");
  const [container = "", mode] = entry.split(/:(.*)/s, 2);
  const readOnly = mode !== undefined && mode.split(",").includes("ro");
  if (mode !== undefined && !mode.split(",").every((word) => ["ro", "rw", "z", "Z"].includes(word))) {
    throw new EngineError("invalid", `invalid mode: ${mode}`);
  }
  return mountsOf(container)
    .filter(({ listed }) => listed)
    .map((mount) => ({ ...structuredClone(mount), mode: "", readOnly: mount.readOnly || readOnly }))
    .map((mount) => (mount.volume ? { ...mount, volume: { ...mount.volume, copy: false } } : mount));
}
