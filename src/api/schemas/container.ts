/** Schemas of the bodies of `/containers` and `/commit`. */
import { z } from "zod";
import type {
  ContainerConfig,
  ContainerCreateRequest,
  HealthConfig,
  HostConfig,
  Resources,
  RestartPolicy,
} from "#api/types/container-config.ts";
import type { ContainerUpdateBody } from "#api/types/container.ts";
import {
  consoleSize,
  flag,
  integer,
  list,
  omitEmpty,
  oneOf,
  optionalFlag,
  optionalInteger,
  text,
  textList,
  textMap,
  textSet,
  words,
} from "./decode.ts";
import { changesSchema } from "./change.ts";
import { mountSchema, portBindingsSchema } from "./container-parts.ts";
import { networkingConfigSchema } from "./network.ts";

const healthcheck: z.ZodType<HealthConfig | null> = z
  .object({
    Test: textList,
    Interval: integer,
    Timeout: integer,
    StartPeriod: integer,
    StartInterval: integer,
    Retries: integer,
  })
  .transform((health) =>
    omitEmpty<HealthConfig>(health, ["Test", "Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"]),
  )
  .nullish()
  .transform((health) => health ?? null);

const configShape = {
  Hostname: text,
  Domainname: text,
  User: text,
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  ExposedPorts: textSet,
  Tty: flag,
  OpenStdin: flag,
  StdinOnce: flag,
  Env: textList,
  Cmd: words,
  Healthcheck: healthcheck,
  ArgsEscaped: flag,
  Image: text,
  Volumes: textSet,
  WorkingDir: text,
  Entrypoint: words,
  NetworkDisabled: flag,
  MacAddress: text,
  OnBuild: textList,
  Labels: textMap.transform((labels) => labels ?? {}),
  StopSignal: text,
  StopTimeout: optionalInteger,
  Shell: words,
};

const omittedConfig = [
  "ExposedPorts",
  "Healthcheck",
  "ArgsEscaped",
  "NetworkDisabled",
  "MacAddress",
  "StopSignal",
  "Shell",
] as const;

function toConfig(config: ContainerConfig): ContainerConfig {
  if (config.StopTimeout === null) delete config.StopTimeout;
  return omitEmpty(config, omittedConfig);
}

const device = z.object({ PathOnHost: text, PathInContainer: text, CgroupPermissions: text });
const weight = z.object({ Path: text, Weight: integer });
const throttle = z.object({ Path: text, Rate: integer });
const restartPolicy: z.ZodType<RestartPolicy> = z
  .object({
    Name: oneOf(
      [
        "",
        "no",
        "always",
        "unless-stopped",
        "on-failure",
        "on-unhealthy",
        "always+unhealthy",
        "unless-stopped+unhealthy",
        "on-failure+unhealthy",
      ],
      (value) =>
        `invalid restart policy: unknown policy '${String(value)}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    ),
    MaximumRetryCount: integer,
  })
  .nullish()
  .transform((policy) => policy ?? { Name: "", MaximumRetryCount: 0 });

const resourcesShape = {
  CpuShares: integer,
  Memory: integer,
  NanoCpus: integer,
  CgroupParent: text,
  BlkioWeight: integer,
  BlkioWeightDevice: list(weight),
  BlkioDeviceReadBps: list(throttle),
  BlkioDeviceWriteBps: list(throttle),
  BlkioDeviceReadIOps: list(throttle),
  BlkioDeviceWriteIOps: list(throttle),
  CpuPeriod: integer,
  CpuQuota: integer,
  CpuRealtimePeriod: integer,
  CpuRealtimeRuntime: integer,
  CpusetCpus: text,
  CpusetMems: text,
  Devices: list(device),
  DeviceCgroupRules: textList,
  DeviceRequests: list(
    z.object({ Driver: text, Count: integer, DeviceIDs: textList, Capabilities: list(textList), Options: textMap }),
  ),
  KernelMemory: integer,
  KernelMemoryTCP: integer,
  MemoryReservation: integer,
  MemorySwap: integer,
  MemorySwappiness: optionalInteger,
  OomKillDisable: optionalFlag,
  PidsLimit: optionalInteger,
  Ulimits: list(z.object({ Name: text, Hard: integer, Soft: integer })),
  CpuCount: integer,
  CpuPercent: integer,
  IOMaximumIOps: integer,
  IOMaximumBandwidth: integer,
};

const hostConfigShape = {
  Binds: textList,
  ContainerIDFile: text,
  LogConfig: z
    .object({ Type: text, Config: textMap })
    .nullish()
    .transform((config) => config ?? { Type: "", Config: null }),
  NetworkMode: text,
  PortBindings: portBindingsSchema,
  RestartPolicy: restartPolicy,
  AutoRemove: flag,
  VolumeDriver: text,
  VolumesFrom: textList,
  ConsoleSize: consoleSize,
  Annotations: textMap,
  CapAdd: words,
  CapDrop: words,
  CgroupnsMode: oneOf(["", "private", "host"], (value) => `invalid cgroup namespace mode: ${String(value)}`),
  Dns: textList,
  DnsOptions: textList,
  DnsSearch: textList,
  ExtraHosts: textList,
  GroupAdd: textList,
  IpcMode: text,
  Cgroup: text,
  Links: textList,
  OomScoreAdj: integer,
  PidMode: text,
  Privileged: flag,
  PublishAllPorts: flag,
  ReadonlyRootfs: flag,
  SecurityOpt: textList,
  StorageOpt: textMap,
  Tmpfs: textMap,
  UTSMode: text,
  UsernsMode: text,
  ShmSize: integer,
  Sysctls: textMap,
  Runtime: text,
  Isolation: text,
  ...resourcesShape,
  Mounts: list(mountSchema),
  MaskedPaths: textList,
  ReadonlyPaths: textList,
  Init: optionalFlag,
};

/** The fields in the order in which Docker writes them. */
export const containerConfigFields = Object.keys(configShape) as readonly (keyof ContainerConfig)[];
export const hostConfigFields = Object.keys(hostConfigShape) as readonly (keyof HostConfig)[];

const omittedHostConfig = [
  "KernelMemory",
  "KernelMemoryTCP",
  "Annotations",
  "StorageOpt",
  "Tmpfs",
  "Sysctls",
  "Runtime",
  "Mounts",
] as const;

function toHostConfig(config: HostConfig): HostConfig {
  if (config.Init === null) delete config.Init;
  return omitEmpty(config, omittedHostConfig);
}

const hostConfig = z.object(hostConfigShape).transform(toHostConfig);

/** Body of `POST /containers/create`. */
export const containerCreateSchema: z.ZodType<ContainerCreateRequest> = z
  .object({ ...configShape, HostConfig: hostConfig.nullish(), NetworkingConfig: networkingConfigSchema })
  .transform(({ HostConfig, NetworkingConfig, ...config }) => ({
    Config: toConfig(config),
    HostConfig: HostConfig ?? hostConfig.parse({}),
    NetworkingConfig,
  }));

/** Body of `POST /commit`: only what the client named. */
export const commitConfigSchema: z.ZodType<Partial<ContainerConfig>> = z.looseObject({}).transform((body, context) => {
  const named = Object.entries(body).filter(
    ([key, value]) => key in configShape && value !== null && value !== undefined,
  );
  const parsed = z.object(configShape).safeParse(Object.fromEntries(named), { reportInput: true });
  if (!parsed.success) {
    for (const issue of parsed.error.issues) context.issues.push(issue as z.core.$ZodRawIssue);
    return z.NEVER;
  }
  const keys = new Set(named.map(([key]) => key));
  return Object.fromEntries(Object.entries(parsed.data).filter(([key]) => keys.has(key))) as Partial<ContainerConfig>;
});

/** Body of `POST /containers/{id}/update`: only what the client named. */
export const containerUpdateSchema: z.ZodType<ContainerUpdateBody> = z
  .object({ ...resourcesShape, RestartPolicy: restartPolicy, Changes: changesSchema })
  .partial()
  .transform(
    (body) =>
      Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined)) as ContainerUpdateBody &
        Partial<Resources>,
  );
