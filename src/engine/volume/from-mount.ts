/** Reads an entry of `HostConfig.Mounts`. */
import { posix } from "node:path";
import type { Mount } from "#api/types/container-config.ts";
import { EngineError } from "#lib/errors.ts";
import type { Digest } from "#oci/digest.ts";
import type { ResolvedMount } from "./mount.ts";
import { assertDriver, bindMount, cleanDestination, exists, tmpfs, volume } from "./mount-forms.ts";
import { checkVolumeName, randomVolumeName } from "./names.ts";
import { parseOwners } from "./owners.ts";

/** Where what is mounted comes from. */
export interface MountSources {
  /** Where a volume's data is (Layout.volumeData). */
  volumePath: (name: string) => string;
  /** Throws not-found. */
  imageOf: (reference: string) => { id: Digest; chain: readonly Digest[] };
}

/** Throws kind "invalid" with Docker's words. */
export function fromMount(mount: Mount, { volumePath, imageOf }: MountSources): ResolvedMount {
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
  if (type !== "image" && mount.ImageOptions) throw refuse("field ImageOptions must not be specified");
  const owners = ownersOf(mount);
  switch (type) {
    case "bind": {
      const source = mount.Source ?? "";
      if (source === "") throw refuse("field Source must not be empty");
      if (!source.startsWith("/")) throw refuse(`invalid mount path: '${source}' mount path must be absolute`);
      const options = mount.BindOptions ?? {};
      if (options.ReadOnlyNonRecursive && options.ReadOnlyForceRecursive)
        throw refuse("mount options conflict: ReadOnlyNonRecursive && ReadOnlyForceRecursive");
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
        ...owners,
      };
    }
    case "volume": {
      const options = mount.VolumeOptions ?? {};
      const driverOptions = options.DriverConfig?.Options ?? {};
      if (readOnly && !mount.Source) throw refuse("must not set ReadOnly mode when using anonymous volumes");
      if (options.Subpath && !mount.Source) throw refuse("must not set Subpath when using anonymous volumes");
      const name = mount.Source ? checkVolumeName(mount.Source) : randomVolumeName();
      assertDriver(options.DriverConfig?.Name, name);
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
        ...owners,
      };
    }
    case "tmpfs":
      if (mount.Source) throw refuse("field Source must not be specified");
      return { ...tmpfs(destination, mountOptions(mount), true), readOnly };
    case "image": {
      if (!mount.Source) throw refuse("field Source must not be empty");
      const subpath = mount.ImageOptions?.Subpath ?? "";
      if (subpath !== "" && !isInside(subpath)) throw refuse("subpath must be a relative path within the volume");
      const { id, chain } = imageOf(mount.Source);
      const image = { reference: mount.Source, id, chain: [...chain], key: "", ...(subpath !== "" && { subpath }) };
      return { ...bindMount("", destination, true, ""), type: "image", image };
    }
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

/** Only files that are somewhere already have owners. */
function ownersOf({ Type = "volume", Owners }: Mount): Pick<ResolvedMount, "owners"> {
  if (!Owners) return {};
  if (Type === "bind" || Type === "volume") return { owners: parseOwners(Owners) };
  throw new EngineError("invalid", `invalid mount config for type "${Type}": field Owners must not be specified`);
}

function isInside(subpath: string): boolean {
  const clean = posix.normalize(subpath);
  return !clean.startsWith("/") && clean !== ".." && !clean.startsWith("../");
}
