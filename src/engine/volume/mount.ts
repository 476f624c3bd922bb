/** A mount of a container after parsing: everything that inspect shows and the runtime needs, as plain JSON. */
import type { MountPropagation } from "#api/types/container-config.ts";
import type { MountPoint } from "#api/types/container.ts";
import type { Digest } from "#oci/digest.ts";
import type { MountOwners } from "./owners.ts";

export interface ResolvedMount {
  type: "bind" | "volume" | "tmpfs" | "image";
  /** Absolute and clean, inside the container. */
  destination: string;
  /** Host path: the bind source, the folder of the volume (with its subpath), where the image is mounted. Empty for tmpfs. */
  source: string;
  /** The mode word of `-v` (`z`, `ro,z`), as inspect repeats it. */
  mode: string;
  readOnly: boolean;
  propagation: MountPropagation;
  /** Shown by inspect; false for `--tmpfs` and true for `--mount type=tmpfs`, as Docker has it. */
  listed: boolean;
  volume?: {
    name: string;
    anonymous: boolean;
    /** false where image content is not to be copied in (`nocopy`). */
    copy: boolean;
    labels: Record<string, string>;
    /** Of the driver, for a volume that is to be made (`volume-opt`). */
    options?: Record<string, string>;
    subpath?: string;
  };
  image?: {
    /** As the user named it. */
    reference: string;
    id: Digest;
    chain: Digest[];
    /** The snapshot that keeps and shows its layers. */
    key: string;
    subpath?: string;
  };
  /** Other owners than those on disk, by an idmapped mount. */
  owners?: MountOwners;
  bind?: {
    /** Make a missing source folder (`-v`, `bind-create-src`). */
    createSource: boolean;
    nonRecursive: boolean;
    readOnlyNonRecursive: boolean;
    readOnlyForceRecursive: boolean;
    /** The client named the propagation itself: it must then be had. */
    explicitPropagation: boolean;
  };
  /** What was made in the running container for its mount point, the outermost first: it goes with the mount. */
  made?: readonly string[];
  /** Options of mount(8), the defaults among them. */
  tmpfs?: { options: string[] };
}

/** Names of the volumes among them. */
export function volumesOf(mounts: readonly ResolvedMount[]): string[] {
  return mounts.flatMap(({ volume }) => volume?.name ?? []);
}

/** The mount as `.Mounts` of inspect shows it. */
export function toMountPoint(mount: ResolvedMount): MountPoint {
  return {
    Type: mount.type,
    ...(mount.volume && { Name: mount.volume.name }),
    ...(mount.image && { Name: mount.image.reference }),
    Source: mount.source,
    Destination: mount.destination,
    ...(mount.volume && { Driver: "local" }),
    Mode: mount.mode,
    RW: !mount.readOnly,
    Propagation: mount.propagation,
  };
}
