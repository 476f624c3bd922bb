/** Wire objects of `/volumes` (Engine API v1.50). */
import type { List, StringMap } from "./container-config.ts";

export interface Volume {
  CreatedAt?: string;
  Driver: string;
  Labels: StringMap | null;
  Mountpoint: string;
  Name: string;
  Options: StringMap | null;
  Scope: "local" | "global";
  Status?: Record<string, unknown>;
  /** Of volumes that a cluster provides, which our daemon has none of. */
  ClusterVolume?: {
    Version?: { Index?: number };
    Spec?: { Group?: string; Availability?: string };
    Info?: { VolumeID?: string };
  };
  /** Only in `/system/df`; -1 where unknown. */
  UsageData?: { RefCount: number; Size: number };
}

/** Body of `POST /volumes/create`, as clients send it; no name makes a random one. */
export interface VolumeCreateBody {
  Name?: string;
  Driver?: string;
  DriverOpts?: StringMap | null;
  Labels?: StringMap | null;
  ClusterVolumeSpec?: Record<string, unknown> | null;
}
export interface VolumeListResponse {
  Volumes: Volume[];
  Warnings: List<string>;
}
export interface VolumesPruneResponse {
  VolumesDeleted: List<string>;
  SpaceReclaimed: number;
}
