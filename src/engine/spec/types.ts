/** The parts of OCI runtime-spec 1.0.2 (`config.json`) that Berth writes; field names are the specification's. */

export interface RuntimeSpec {
  ociVersion: string;
  process: ProcessSpec;
  root: { path: string; readonly: boolean };
  hostname?: string;
  domainname?: string;
  mounts: MountSpec[];
  annotations?: Record<string, string>;
  hooks?: Partial<Record<HookName, Hook[]>>;
  linux: LinuxSpec;
}

export type HookName = "prestart" | "createRuntime" | "createContainer" | "startContainer" | "poststart" | "poststop";

/** A program of the host that the runtime runs at some point; `timeout` in seconds. */
export interface Hook {
  path: string;
  args?: string[] | undefined;
  env?: string[] | undefined;
  timeout?: number | undefined;
}

export interface ProcessSpec {
  terminal: boolean;
  /** In character cells; only with a terminal. */
  consoleSize?: { height: number; width: number };
  user: { uid: number; gid: number; additionalGids: number[] };
  args: string[];
  env: string[];
  cwd: string;
  capabilities: CapabilitySets;
  rlimits: Rlimit[];
  noNewPrivileges: boolean;
  apparmorProfile?: string;
  oomScoreAdj: number;
}

/** Names with the `CAP_` prefix. */
export interface CapabilitySets {
  bounding: string[];
  effective: string[];
  permitted: string[];
  inheritable: string[];
  ambient: string[];
}

/** `type` is `RLIMIT_…`; unlimited is RLIM_INFINITY of `./json.ts`, which is also who writes it. */
export interface Rlimit {
  type: string;
  soft: number;
  hard: number;
}

export interface MountSpec {
  destination: string;
  type: string;
  source: string;
  options: string[];
}

export type NamespaceType = "pid" | "network" | "mount" | "ipc" | "uts" | "user" | "cgroup";

export interface LinuxSpec {
  resources: ResourcesSpec;
  cgroupsPath: string;
  namespaces: { type: NamespaceType; path?: string }[];
  uidMappings?: IdMapping[];
  gidMappings?: IdMapping[];
  devices: DeviceSpec[];
  sysctl: Record<string, string>;
  seccomp?: SeccompSpec;
  rootfsPropagation?: string;
  maskedPaths: string[];
  readonlyPaths: string[];
}

export interface IdMapping {
  containerID: number;
  hostID: number;
  size: number;
}

export interface DeviceSpec {
  path: string;
  type: "c" | "b" | "u" | "p";
  major: number;
  minor: number;
  fileMode?: number;
  uid?: number;
  gid?: number;
}

/** An absent `type`, `major` or `minor` means all. */
export interface DeviceRule {
  allow: boolean;
  type?: "a" | "c" | "b";
  major?: number;
  minor?: number;
  access: string;
}

export interface WeightDevice {
  major: number;
  minor: number;
  weight: number;
}

export interface ThrottleDevice {
  major: number;
  minor: number;
  /** Bytes or operations per second. */
  rate: number;
}

export interface ResourcesSpec {
  devices: DeviceRule[];
  /** Bytes; -1 is unlimited. */
  memory?: {
    limit?: number;
    reservation?: number;
    /** Memory plus swap. */
    swap?: number;
    kernel?: number;
    kernelTCP?: number;
    swappiness?: number;
    disableOOMKiller?: boolean;
  };
  /** Periods and quotas in microseconds. */
  cpu?: {
    shares?: number;
    quota?: number;
    period?: number;
    realtimeRuntime?: number;
    realtimePeriod?: number;
    cpus?: string;
    mems?: string;
  };
  pids?: { limit: number };
  blockIO?: {
    weight?: number;
    weightDevice?: WeightDevice[];
    throttleReadBpsDevice?: ThrottleDevice[];
    throttleWriteBpsDevice?: ThrottleDevice[];
    throttleReadIOPSDevice?: ThrottleDevice[];
    throttleWriteIOPSDevice?: ThrottleDevice[];
  };
}

export interface SeccompArg {
  index: number;
  value: number;
  valueTwo?: number;
  op: string;
}

export interface SeccompRule {
  names: string[];
  action: string;
  errnoRet?: number;
  args?: SeccompArg[];
}

export interface SeccompSpec {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures: string[];
  flags?: string[];
  syscalls: SeccompRule[];
}
