/** Wire objects of what Berth alone does with volumes. */
import type { ContainerStatus } from "./container.ts";

/** Answer of `POST /volumes/{name}/copy`. */
export interface VolumeCopied {
  Name: string;
  /** Files, folders and all else, the volume's own folder included. */
  Entries: number;
  /** Lengths of the files, each once. */
  Bytes: number;
}

/** Answer of `POST /volumes/restore`. */
export interface VolumeRestored extends VolumeCopied {
  /** That the backup left out. */
  Sockets: number;
}

/** Sizes are bytes, and -1 where they are not known. */
export interface VolumeUsage {
  Name: string;
  /** On disk. */
  Size: number;
  /** Lengths of the files, each once. */
  ApparentSize: number;
  /** Files, folders and all else. */
  Files: number;
  Containers: { Id: string; Name: string; State: ContainerStatus }[];
}

/** Answer of `GET /system/df/volumes`. */
export interface VolumesUsage {
  Volumes: VolumeUsage[];
}
