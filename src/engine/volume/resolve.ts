/** Turns Binds, Mounts, Tmpfs, VolumesFrom and an image's volumes into one list of mounts, by Docker's rules. */
import { mkdirSync, statSync } from "node:fs";
import { posix } from "node:path";
import type { HostConfig, Mount, MountPropagation, StringSet } from "#api/types/container-config.ts";
import { EngineError } from "#lib/errors.ts";
import type { ResolvedMount } from "./mount.ts";
import { checkVolumeName, randomVolumeName } from "./names.ts";
import { parseVolumeSpec } from "./spec.ts";
import { tmpfsOptions } from "./tmpfs-options.ts";

export interface ResolveMountsInput {
  hostConfig: HostConfig;
  /** `Config.Volumes` after the merge with the image's: each that nothing else covers becomes an anonymous volume. */
  volumes: StringSet | null;
  /** Mounts of the container that a `VolumesFrom` entry names (name or id, mode removed). Throws not-found. */
  mountsOf: (container: string) => readonly ResolvedMount[];
  /** Where a volume's data is (Layout.volumeData). */
  volumePath: (name: string) => string;
}

/**
 * Sorted by depth so that parents are mounted first. Looks at bind sources on the host but makes nothing:
 * `prepareBindSources` does, when the container is started.
 *
 * Throws kind "invalid" with Docker's words.
 */
export function resolveMounts(input: ResolveMountsInput): ResolvedMount[] {
  const { hostConfig, volumes, mountsOf, volumePath } = input;
  if (hostConfig.VolumeDriver !== "" && hostConfig.VolumeDriver !== "local")
    throw unknownDriver(hostConfig.VolumeDriver);
  const asked = new Map<string, ResolvedMount>();
  const ask = (mount: ResolvedMount): void => {
    if (asked.has(mount.destination)) throw new EngineError("invalid", `Duplicate mount point: ${mount.destination}`);
    asked.set(mount.destination, mount);
  };
  for (const bind of hostConfig.Binds ?? []) ask(fromBind(bind, volumePath));
  for (const mount of hostConfig.Mounts ?? []) ask(fromMount(mount, volumePath));
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
    if (!all.has(destination)) all.set(destination, volume(randomVolumeName(), true, destination, volumePath));
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
function fromBind(text: string, volumePath: (name: string) => string): ResolvedMount {
  const { source, destination: target, mode, readOnly, copy, propagation } = parseVolumeSpec(text);
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
    };
  }
  if (propagation !== undefined) {
    throw new EngineError("invalid", `invalid volume specification: '${text}': propagation is for binds only`);
  }
  const name = source === "" ? randomVolumeName() : checkVolumeName(source);
  const mount = volume(name, source === "", destination, volumePath);
  if (mount.volume !== undefined) mount.volume.copy = copy;
  return { ...mount, mode: mode || "z", readOnly };
}

function fromMount(mount: Mount, volumePath: (name: string) => string): ResolvedMount {
  const type = mount.Type ?? "volume";
  const refuse = (why: string): EngineError =>
    new EngineError("invalid", `invalid mount config for type "${type}": ${why}`);
  if (!mount.Target) throw refuse("field Target must not be empty");
  if (!mount.Target.startsWith("/")) throw refuse(`invalid mount path: '${mount.Target}' mount path must be absolute`);
  const destination = cleanDestination(mount.Target, mount.Target);
  const readOnly = mount.ReadOnly ?? false;
  if (type !== "bind" && mount.BindOptions) throw refuse("field BindOptions must not be specified");
  if (type !== "volume" && mount.VolumeOptions) throw refuse("field VolumeOptions must not be specified");
  if (type !== "tmpfs" && mount.TmpfsOptions) throw refuse("field TmpfsOptions must not be specified");
  switch (type) {
    case "bind": {
      const source = mount.Source ?? "";
      if (source === "") throw refuse("field Source must not be empty");
      if (!source.startsWith("/")) throw refuse(`invalid mount path: '${source}' mount path must be absolute`);
      const options = mount.BindOptions ?? {};
      if (!exists(source) && options.CreateMountpoint !== true)
        throw refuse(`bind source path does not exist: ${source}`);
      return {
        ...bindMount(posix.normalize(source), destination, readOnly, options.Propagation || "rprivate"),
        bind: {
          createSource: options.CreateMountpoint ?? false,
          nonRecursive: options.NonRecursive ?? false,
          readOnlyNonRecursive: options.ReadOnlyNonRecursive ?? false,
          readOnlyForceRecursive: options.ReadOnlyForceRecursive ?? false,
          explicitPropagation: Boolean(options.Propagation),
        },
      };
    }
    case "volume": {
      const options = mount.VolumeOptions ?? {};
      const driver = options.DriverConfig?.Name ?? "";
      if (driver !== "" && driver !== "local") throw unknownDriver(driver);
      const driverOptions = options.DriverConfig?.Options ?? {};
      if (readOnly && !mount.Source) throw refuse("must not set ReadOnly mode when using anonymous volumes");
      if (options.Subpath && !mount.Source) throw refuse("must not set Subpath when using anonymous volumes");
      const name = mount.Source ? checkVolumeName(mount.Source) : randomVolumeName();
      const result = volume(name, !mount.Source, destination, volumePath);
      const subpath = options.Subpath ?? "";
      if (subpath !== "" && !isInside(subpath)) throw refuse("subpath must be a relative path within the volume");
      return {
        ...result,
        mode: "z",
        readOnly,
        source: subpath === "" ? result.source : posix.join(result.source, subpath),
        volume: {
          name,
          anonymous: !mount.Source,
          copy: options.NoCopy !== true && subpath === "",
          labels: options.Labels ?? {},
          ...(Object.keys(driverOptions).length > 0 && { options: driverOptions }),
          ...(subpath !== "" && { subpath }),
        },
      };
    }
    case "tmpfs":
      if (mount.Source) throw refuse("field Source must not be specified");
      return { ...tmpfs(destination, mountOptions(mount), true), readOnly };
    default:
      throw new EngineError("invalid", `mount type "${type}" is not supported`);
  }
}

function mountOptions({ TmpfsOptions: options, ReadOnly }: Mount): string[] {
  return [
    ...(options?.SizeBytes ? [`size=${options.SizeBytes}`] : []),
    ...(options?.Mode ? [`mode=${options.Mode.toString(8)}`] : []),
    ...(ReadOnly === true ? ["ro"] : []),
    ...(options?.Options ?? []).map((pair) => {
      const option = pair?.join("=") ?? "";
      if (option === "exec" || option === "noexec") return option;
      throw new EngineError("invalid", `invalid mount config for type "tmpfs": invalid option: ${option}`);
    }),
  ];
}

/** `container[:ro|rw]`. */
function inherited(entry: string, mountsOf: ResolveMountsInput["mountsOf"]): ResolvedMount[] {
  const [container = "", mode = "rw"] = entry.split(":");
  if (mode !== "ro" && mode !== "rw" && mode !== "z" && mode !== "Z") {
    throw new EngineError("invalid", `invalid mode for volumes-from: ${mode}`);
  }
  return mountsOf(container)
    .filter(({ type }) => type !== "tmpfs")
    .map((mount) => ({ ...structuredClone(mount), readOnly: mount.readOnly || mode === "ro" }));
}

function bindMount(
  source: string,
  destination: string,
  readOnly: boolean,
  propagation: MountPropagation,
): ResolvedMount {
  return { type: "bind", source, destination, mode: "", readOnly, propagation, listed: true };
}

function volume(
  name: string,
  anonymous: boolean,
  destination: string,
  volumePath: (name: string) => string,
): ResolvedMount {
  return {
    type: "volume",
    source: volumePath(name),
    destination,
    mode: "",
    readOnly: false,
    propagation: "",
    listed: true,
    volume: { name, anonymous, copy: true, labels: {} },
  };
}

function tmpfs(destination: string, options: string[], listed: boolean): ResolvedMount {
  return {
    type: "tmpfs",
    source: "",
    destination,
    mode: "",
    readOnly: options.includes("ro"),
    propagation: "",
    listed,
    tmpfs: { options: tmpfsOptions(options) },
  };
}

function cleanDestination(path: string, shown: string): string {
  if (!path.startsWith("/")) {
    const type = shown.startsWith("/") && shown.includes(":") ? "bind" : "volume";
    throw new EngineError(
      "invalid",
      `invalid volume specification: '${shown}': invalid mount config for type "${type}": invalid mount path: '${path}' mount path must be absolute`,
    );
  }
  const clean = posix.normalize(path).replace(/(?<=.)\/$/, "");
  if (clean === "/")
    throw new EngineError("invalid", `invalid volume specification: '${shown}': destination can't be '/'`);
  return clean;
}

function isInside(subpath: string): boolean {
  const clean = posix.normalize(subpath);
  return !clean.startsWith("/") && clean !== ".." && !clean.startsWith("../");
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function missingSource(source: string): EngineError {
  return new EngineError("invalid", `invalid mount config for type "bind": bind source path does not exist: ${source}`);
}

/** Not "not-found": clients that create a container take that for the image's. */
function unknownDriver(driver: string): EngineError {
  return new EngineError("invalid", `error looking up volume plugin ${driver}: plugin "${driver}" not found`);
}
