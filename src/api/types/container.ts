/** Wire objects of `/containers`: Engine API v1.50 field for field, as the daemon sends and clients read them. */
import type { ContainerChanges } from "./change.ts";
import type { EndpointSettings } from "./network.ts";
import type { Platform } from "./system.ts";

/** A list that Go writes as `null` while it was never set. */
export type List<T> = T[] | null;
export type StringMap = Record<string, string>;
/** Go's `map[string]struct{}`. */
export type StringSet = Record<string, Record<string, never>>;

/** Durations in nanoseconds; 0 inherits. `Test[0]` is NONE, CMD or CMD-SHELL. */
export interface HealthConfig {
  Test?: List<string>;
  Interval?: number;
  Timeout?: number;
  StartPeriod?: number;
  StartInterval?: number;
  Retries?: number;
}

/** The portable part: what an image can also carry. */
export interface ContainerConfig {
  Hostname: string;
  Domainname: string;
  User: string;
  AttachStdin: boolean;
  AttachStdout: boolean;
  AttachStderr: boolean;
  /** Keys are `port/proto`. */
  ExposedPorts?: StringSet | null;
  Tty: boolean;
  OpenStdin: boolean;
  StdinOnce: boolean;
  Env: List<string>;
  Cmd: List<string>;
  Healthcheck?: HealthConfig | null;
  ArgsEscaped?: boolean;
  Image: string;
  Volumes: StringSet | null;
  WorkingDir: string;
  Entrypoint: List<string>;
  NetworkDisabled?: boolean;
  /** Deprecated since 1.44, where it moved into EndpointSettings. */
  MacAddress?: string;
  OnBuild: List<string>;
  Labels: StringMap;
  StopSignal?: string;
  /** Seconds. */
  StopTimeout?: number | null;
  Shell?: List<string>;
}

export interface PortBinding {
  HostIp: string;
  HostPort: string;
}
/** Keys are `port/proto`. */
export type PortMap = Record<string, List<PortBinding>>;

/** Those with `unhealthy` are Berth's own. */
export type RestartPolicyName =
  | ""
  | "no"
  | "always"
  | "unless-stopped"
  | "on-failure"
  | "on-unhealthy"
  | "always+unhealthy"
  | "unless-stopped+unhealthy"
  | "on-failure+unhealthy";
export interface RestartPolicy {
  Name: RestartPolicyName;
  MaximumRetryCount: number;
}

export interface LogConfig {
  Type: string;
  Config: StringMap | null;
}
export interface WeightDevice {
  Path: string;
  Weight: number;
}
export interface ThrottleDevice {
  Path: string;
  /** Bytes or operations per second. */
  Rate: number;
}
export interface DeviceMapping {
  PathOnHost: string;
  PathInContainer: string;
  CgroupPermissions: string;
}
export interface DeviceRequest {
  Driver: string;
  Count: number;
  DeviceIDs: List<string>;
  Capabilities: List<List<string>>;
  Options: StringMap | null;
}
export interface Ulimit {
  Name: string;
  Hard: number;
  Soft: number;
}

/** Limits; also the body of `/containers/{id}/update`. Memory in bytes, CPU periods in microseconds. */
export interface Resources {
  CpuShares: number;
  Memory: number;
  NanoCpus: number;
  CgroupParent: string;
  BlkioWeight: number;
  BlkioWeightDevice: List<WeightDevice>;
  BlkioDeviceReadBps: List<ThrottleDevice>;
  BlkioDeviceWriteBps: List<ThrottleDevice>;
  BlkioDeviceReadIOps: List<ThrottleDevice>;
  BlkioDeviceWriteIOps: List<ThrottleDevice>;
  CpuPeriod: number;
  CpuQuota: number;
  CpuRealtimePeriod: number;
  CpuRealtimeRuntime: number;
  CpusetCpus: string;
  CpusetMems: string;
  Devices: List<DeviceMapping>;
  DeviceCgroupRules: List<string>;
  DeviceRequests: List<DeviceRequest>;
  KernelMemory?: number;
  KernelMemoryTCP?: number;
  MemoryReservation: number;
  /** Memory plus swap; -1 is unlimited. */
  MemorySwap: number;
  MemorySwappiness: number | null;
  OomKillDisable: boolean | null;
  /** 0 and -1 are unlimited, null leaves it. */
  PidsLimit: number | null;
  Ulimits: List<Ulimit>;
  CpuCount: number;
  CpuPercent: number;
  IOMaximumIOps: number;
  IOMaximumBandwidth: number;
}

export type MountType = "bind" | "volume" | "tmpfs" | "npipe" | "cluster" | "image";
export type MountPropagation = "" | "rprivate" | "private" | "rshared" | "shared" | "rslave" | "slave";

/** A mount as asked for (`--mount`). */
export interface Mount {
  Type?: MountType;
  Source?: string;
  Target?: string;
  ReadOnly?: boolean;
  Consistency?: string;
  BindOptions?: {
    Propagation?: MountPropagation;
    NonRecursive?: boolean;
    CreateMountpoint?: boolean;
    ReadOnlyNonRecursive?: boolean;
    ReadOnlyForceRecursive?: boolean;
  } | null;
  VolumeOptions?: {
    NoCopy?: boolean;
    Labels?: StringMap | null;
    Subpath?: string;
    DriverConfig?: { Name?: string; Options?: StringMap | null } | null;
  } | null;
  ImageOptions?: { Subpath?: string } | null;
  TmpfsOptions?: { SizeBytes?: number; Mode?: number; Options?: List<List<string>> } | null;
  ClusterOptions?: Record<string, never> | null;
}

/** The part of a container's configuration that depends on this host. */
export interface HostConfig extends Resources {
  Binds: List<string>;
  ContainerIDFile: string;
  LogConfig: LogConfig;
  NetworkMode: string;
  PortBindings: PortMap | null;
  RestartPolicy: RestartPolicy;
  AutoRemove: boolean;
  VolumeDriver: string;
  VolumesFrom: List<string>;
  /** Height, width. */
  ConsoleSize: [number, number];
  Annotations?: StringMap | null;
  CapAdd: List<string>;
  CapDrop: List<string>;
  CgroupnsMode: "" | "private" | "host";
  Dns: List<string>;
  DnsOptions: List<string>;
  DnsSearch: List<string>;
  ExtraHosts: List<string>;
  GroupAdd: List<string>;
  IpcMode: string;
  Cgroup: string;
  Links: List<string>;
  OomScoreAdj: number;
  PidMode: string;
  Privileged: boolean;
  PublishAllPorts: boolean;
  ReadonlyRootfs: boolean;
  SecurityOpt: List<string>;
  StorageOpt?: StringMap | null;
  Tmpfs?: StringMap | null;
  UTSMode: string;
  UsernsMode: string;
  ShmSize: number;
  Sysctls?: StringMap | null;
  Runtime?: string;
  Isolation: string;
  Mounts?: List<Mount>;
  /** null asks for the default set, an empty list for none. */
  MaskedPaths: List<string>;
  ReadonlyPaths: List<string>;
  Init?: boolean | null;
}

/** Keys are network names or ids. */
export interface NetworkingConfig {
  EndpointsConfig: Record<string, Partial<EndpointSettings> | null> | null;
}

/** What a client may send to `POST /containers/create`: everything is optional, null counts as absent. */
export type ContainerCreateBody = Nullable<Partial<ContainerConfig>> & {
  HostConfig?: Nullable<Partial<HostConfig>> | null;
  NetworkingConfig?: NetworkingConfig | null;
};
export type Nullable<T> = { [K in keyof T]: T[K] | null };

/** What the daemon's edge makes of that body: every field has its value or Go's zero value. */
export interface ContainerCreateRequest {
  Config: ContainerConfig;
  HostConfig: HostConfig;
  NetworkingConfig: NetworkingConfig;
}
export interface ContainerCreateResponse {
  Id: string;
  Warnings: string[];
}

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

export interface CpuStats {
  cpu_usage: {
    total_usage: number;
    percpu_usage?: number[];
    usage_in_kernelmode: number;
    usage_in_usermode: number;
  };
  system_cpu_usage?: number;
  online_cpus?: number;
  throttling_data: { periods: number; throttled_periods: number; throttled_time: number };
}
export interface BlkioStatEntry {
  major: number;
  minor: number;
  op: string;
  value: number;
}
export type BlkioList =
  | "io_service_bytes_recursive"
  | "io_serviced_recursive"
  | "io_queue_recursive"
  | "io_service_time_recursive"
  | "io_wait_time_recursive"
  | "io_merged_recursive"
  | "io_time_recursive"
  | "sectors_recursive";
/** One sample of `GET /containers/{id}/stats`. CPU in nanoseconds, memory in bytes. */
export interface ContainerStats {
  name: string;
  id: string;
  read: string;
  preread: string;
  num_procs: number;
  /** Without a limit, 2^64-1 on cgroup v2 and absent on v1. */
  pids_stats: { current?: number; limit?: number | bigint };
  cpu_stats: CpuStats;
  precpu_stats: CpuStats;
  memory_stats: {
    usage?: number;
    max_usage?: number;
    stats?: Record<string, number>;
    failcnt?: number;
    limit?: number;
  };
  blkio_stats: Record<BlkioList, List<BlkioStatEntry>>;
  storage_stats: Record<string, never>;
  networks?: Record<
    string,
    {
      rx_bytes: number;
      rx_packets: number;
      rx_errors: number;
      rx_dropped: number;
      tx_bytes: number;
      tx_packets: number;
      tx_errors: number;
      tx_dropped: number;
    }
  >;
}
