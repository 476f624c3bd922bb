/** What a container is asked to be: configuration, host configuration and limits (Engine API v1.50, `/containers/create`). */
import type { EndpointSettings } from "./network.ts";

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
  /** Not Docker's: `user`, `container` or a map, see docs/volumes.md. */
  Owners?: string;
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
