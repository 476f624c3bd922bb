/** Wire objects of `/containers`: Engine API v1.50 field for field, as the daemon sends and clients read them. */
import type {
  ContainerConfig,
  HostConfig,
  List,
  MountPropagation,
  MountType,
  Nullable,
  PortMap,
  Resources,
  RestartPolicy,
  StringMap,
} from "./container-config.ts";
import type { ContainerChanges } from "./change.ts";
import type { EndpointSettings } from "./network.ts";
import type { Platform } from "./system.ts";

export type ContainerStatus = "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead";
export type HealthStatus = "none" | "starting" | "healthy" | "unhealthy";

/** Times are RFC 3339 with nanoseconds. */
export interface HealthcheckResult {
  Start: string;
  End: string;
  ExitCode: number;
  Output: string;
}
export interface Health {
  Status: HealthStatus;
  FailingStreak: number;
  Log: HealthcheckResult[];
}
/** Times are RFC 3339 with nanoseconds; `0001-01-01T00:00:00Z` is never. */
export interface ContainerState {
  Status: ContainerStatus;
  Running: boolean;
  Paused: boolean;
  Restarting: boolean;
  OOMKilled: boolean;
  Dead: boolean;
  Pid: number;
  ExitCode: number;
  Error: string;
  StartedAt: string;
  FinishedAt: string;
  Health?: Health;
}

/** A mount as it is (`.Mounts` of inspect and list). */
export interface MountPoint {
  Type: MountType;
  Name?: string;
  Source: string;
  Destination: string;
  Driver?: string;
  Mode: string;
  RW: boolean;
  Propagation: MountPropagation;
}

/** `.NetworkSettings` of inspect; the address fields at the top are those of the default bridge. */
export interface NetworkSettings {
  Bridge: string;
  SandboxID: string;
  SandboxKey: string;
  Ports: PortMap;
  HairpinMode: boolean;
  LinkLocalIPv6Address: string;
  LinkLocalIPv6PrefixLen: number;
  SecondaryIPAddresses: null;
  SecondaryIPv6Addresses: null;
  EndpointID: string;
  Gateway: string;
  GlobalIPv6Address: string;
  GlobalIPv6PrefixLen: number;
  IPAddress: string;
  IPPrefixLen: number;
  IPv6Gateway: string;
  MacAddress: string;
  Networks: Record<string, EndpointSettings>;
}

/** Answer of `GET /containers/{id}/json`. Sizes in bytes, only when asked for. */
export interface ContainerInspect {
  Id: string;
  Created: string;
  Path: string;
  Args: string[];
  State: ContainerState;
  /** Image id. */
  Image: string;
  ResolvConfPath: string;
  HostnamePath: string;
  HostsPath: string;
  LogPath: string;
  /** With a leading slash. */
  Name: string;
  RestartCount: number;
  Driver: string;
  Platform: string;
  MountLabel: string;
  ProcessLabel: string;
  AppArmorProfile: string;
  ExecIDs: List<string>;
  HostConfig: HostConfig;
  GraphDriver: { Name: string; Data: StringMap | null };
  SizeRw?: number;
  SizeRootFs?: number;
  Mounts: MountPoint[];
  Config: ContainerConfig;
  NetworkSettings: NetworkSettings;
  ImageManifestDescriptor?: {
    mediaType: string;
    digest: string;
    size: number;
    platform?: Platform;
  };
}

export interface Port {
  IP?: string;
  PrivatePort: number;
  PublicPort?: number;
  Type: string;
}
/** An element of `GET /containers/json`. `Created` is in Unix seconds. */
export interface ContainerSummary {
  Id: string;
  /** With leading slashes. */
  Names: string[];
  Image: string;
  ImageID: string;
  ImageManifestDescriptor?: ContainerInspect["ImageManifestDescriptor"];
  Command: string;
  Created: number;
  Ports: Port[];
  SizeRw?: number;
  SizeRootFs?: number;
  Labels: StringMap;
  State: ContainerStatus;
  /** For people: `Up 3 minutes (healthy)`. */
  Status: string;
  HostConfig: { NetworkMode?: string; Annotations?: StringMap };
  NetworkSettings: { Networks: Record<string, EndpointSettings> };
  Mounts: MountPoint[];
}

export type WaitCondition = "not-running" | "next-exit" | "removed";
export interface WaitResponse {
  StatusCode: number;
  Error?: { Message: string };
}

export interface TopResponse {
  Titles: string[];
  Processes: string[][];
}
/** Kind: 0 modified, 1 added, 2 deleted. */
export interface FilesystemChange {
  Path: string;
  Kind: 0 | 1 | 2;
}
/** Body of `POST /containers/{id}/update`. */
export type ContainerUpdateBody = Nullable<Partial<Resources>> & {
  RestartPolicy?: RestartPolicy | null;
  /** Berth's own. */
  Changes?: ContainerChanges | null;
};
export interface ContainerUpdateResponse {
  Warnings: List<string>;
}
export interface ContainersPruneResponse {
  ContainersDeleted: List<string>;
  SpaceReclaimed: number;
}
/** Decoded X-Docker-Container-Path-Stat. `mode` holds Go's os.FileMode bits. */
export interface PathStat {
  name: string;
  size: number;
  mode: number;
  mtime: string;
  linkTarget: string;
}
/** Answer of `POST /commit`. */
export interface CommitResponse {
  Id: string;
}
