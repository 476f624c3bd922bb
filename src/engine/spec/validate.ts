/** Refuses at create time what could not be started, in Docker's words. */
import { posix } from "node:path";
import type { ContainerConfig, HealthConfig, HostConfig, RestartPolicy } from "#api/types/container-config.ts";
import { parseUsernsMode } from "#engine/users/mode.ts";
import { EngineError } from "#lib/errors.ts";
import { boundingSet, normalizeCapabilities } from "./capabilities.ts";
import { validateDeviceRequests } from "./cdi.ts";
import { parseDeviceRule } from "./devices.ts";
import type { HostFacts } from "./host.ts";
import { initRemedy } from "./init-program.ts";
import { validateSysctls } from "./namespaces.ts";
import { fillPaths } from "./paths.ts";
import { validateResources } from "./resources-validate.ts";
import { validateUlimits } from "./rlimits.ts";
import { loadProfile } from "./seccomp-json.ts";
import { parseSecurityOptions, type SecurityOptions } from "./security-options.ts";

const DEFAULT_SHM_SIZE = 64 << 20;
/** Of the kernel, for host and domain names. Bytes. */
const MAX_HOST_NAME = 64;

/**
 * Checks a create request after `mergeImageConfig` and before the host name is filled in. Returns warnings for the client.
 * Mutates both as Docker does: defaults are filled in (ShmSize, IpcMode, CgroupnsMode, MemorySwap, MaskedPaths…),
 * the working directory is cleaned, limits that the kernel lacks are taken out.
 *
 * Networks, ports, mounts, log options and signals are checked by their own parts.
 * Throws kind "invalid".
 */
export function validateContainer(config: ContainerConfig, hostConfig: HostConfig, host: HostFacts): string[] {
  validateConfig(config);
  validateModes(config, hostConfig);
  validateUnsupported(hostConfig);
  validateRestartPolicy(hostConfig.RestartPolicy, hostConfig.AutoRemove);
  const security = parseSecurityOptions(hostConfig.SecurityOpt ?? []);
  if (hostConfig.UsernsMode === "" && security.userns !== undefined) hostConfig.UsernsMode = security.userns;
  parseUsernsMode(hostConfig.UsernsMode);
  fillDefaults(hostConfig, host, security.unconfinedPaths);
  const warnings = [...security.warnings, ...validateResources(hostConfig, host)];

  normalizeCapabilities("CapAdd", hostConfig.CapAdd ?? [], host.capabilities);
  const bounding = boundingSet(hostConfig, host.capabilities);
  validateSecurity(security, bounding, host);
  validateUlimits(hostConfig.Ulimits ?? []);
  validateSysctls(hostConfig.Sysctls ?? {}, hostConfig);
  for (const rule of hostConfig.DeviceCgroupRules ?? []) parseDeviceRule(rule);
  refuse(hostConfig.ShmSize < 0, "SHM size can not be less than 0");
  const score = hostConfig.OomScoreAdj;
  refuse(score < -1000 || score > 1000, `Invalid value ${score}, range for oom score adj is [-1000, 1000]`);
  refuse(
    Object.hasOwn(hostConfig.Annotations ?? {}, ""),
    "invalid Annotations: the empty string is not permitted as an annotation key",
  );
  if (hostConfig.Init === true && hostConfig.PidMode === "" && host.init === undefined) {
    throw new EngineError("invalid", `cannot use --init: no static init program is installed; ${initRemedy}`);
  }
  if (hostConfig.NetworkMode === "host" && Object.keys(hostConfig.PortBindings ?? {}).length > 0) {
    warnings.push("Published ports are discarded when using host network mode");
  }
  return warnings;
}

function validateConfig(config: ContainerConfig): void {
  for (const [what, name] of [
    ["hostname", config.Hostname],
    ["domainname", config.Domainname],
  ] as const) {
    refuse(Buffer.byteLength(name) > MAX_HOST_NAME, `invalid ${what}: ${name} is longer than ${MAX_HOST_NAME} bytes`);
    refuse(name.includes("\0"), `invalid ${what}: ${JSON.stringify(name)} contains nul byte (\\x00)`);
  }
  if (config.WorkingDir !== "") {
    const absolute = config.WorkingDir.startsWith("/");
    refuse(!absolute, `the working directory '${config.WorkingDir}' is invalid, it needs to be an absolute path`);
    const clean = posix.normalize(config.WorkingDir);
    config.WorkingDir = clean.length > 1 && clean.endsWith("/") ? clean.slice(0, -1) : clean;
  }
  for (const entry of config.Env ?? []) {
    refuse(entry === "" || entry.startsWith("="), `invalid environment variable: ${entry}`);
    refuse(entry.includes("\0"), `invalid environment variable: ${JSON.stringify(entry)} contains nul byte (\\x00)`);
  }
  for (const argument of [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])]) {
    refuse(argument.includes("\0"), `invalid argument: ${JSON.stringify(argument)} contains nul byte (\\x00)`);
  }
  if (config.Healthcheck) validateHealthcheck(config.Healthcheck);
}

function validateHealthcheck(health: HealthConfig): void {
  const shortest = 1_000_000;
  for (const key of ["Interval", "Timeout", "StartPeriod", "StartInterval"] as const) {
    const value = health[key] ?? 0;
    refuse(value !== 0 && value < shortest, `${key} in Healthcheck cannot be less than 1ms`);
  }
  refuse((health.Retries ?? 0) < 0, "Retries in Healthcheck cannot be negative");
}

/** Also for a change of the policy of an existing container. Throws kind "invalid". */
export function validateRestartPolicy({ Name, MaximumRetryCount }: RestartPolicy, autoRemove: boolean): void {
  const counts = ["on-failure", "on-failure+unhealthy", "on-unhealthy"].includes(Name);
  if (!counts && Name !== "" && MaximumRetryCount !== 0) {
    const excess = MaximumRetryCount < 0 ? " and cannot be negative" : "";
    throw new EngineError(
      "invalid",
      `invalid restart policy: maximum retry count can only be used with 'on-failure'${excess}`,
    );
  }
  refuse(counts && MaximumRetryCount < 0, "invalid restart policy: maximum retry count cannot be negative");
  refuse(autoRemove && Name !== "" && Name !== "no", "can't create 'AutoRemove' container with restart policy");
}

/** Whether a mode is one of `words` or names a container (`container:X`). */
function isMode(mode: string, words: readonly string[], container: boolean): boolean {
  return words.includes(mode) || (container && /^container:./.test(mode));
}

function validateModes(config: ContainerConfig, hostConfig: HostConfig): void {
  const { IpcMode, PidMode, UTSMode, CgroupnsMode, NetworkMode } = hostConfig;
  refuse(!isMode(IpcMode, ["", "none", "private", "shareable", "host"], true), `invalid IPC mode: ${IpcMode}`);
  refuse(!isMode(PidMode, ["", "host"], true), `invalid PID mode: ${PidMode}`);
  refuse(!isMode(UTSMode, ["", "host"], false), `invalid UTS mode: ${UTSMode}`);
  refuse(!isMode(CgroupnsMode, ["", "private", "host"], false), `invalid cgroup namespace mode: ${CgroupnsMode}`);
  refuse(UTSMode === "host" && config.Hostname !== "", "conflicting options: hostname and the UTS mode");
  if (!NetworkMode.startsWith("container:")) return;
  refuse(NetworkMode === "container:", "invalid container format container:<name|id>");
  refuse(config.Hostname !== "", "conflicting options: hostname and the network mode");
  refuse(Boolean(hostConfig.Dns?.length), "conflicting options: dns and the network mode");
  refuse(Boolean(hostConfig.ExtraHosts?.length), "conflicting options: custom host-to-IP mapping and the network mode");
  const publishes = hostConfig.PublishAllPorts || Object.keys(hostConfig.PortBindings ?? {}).length > 0;
  refuse(publishes, "conflicting options: port publishing and the container type network mode");
}

function validateUnsupported(hostConfig: HostConfig): void {
  const { Isolation, DeviceRequests, StorageOpt } = hostConfig;
  refuse(!["", "default"].includes(Isolation), `invalid isolation '${Isolation}' on linux`);
  validateDeviceRequests(DeviceRequests ?? []);
  refuse(hostConfig.Cgroup !== "", `invalid cgroup mode: ${hostConfig.Cgroup}`);
  const option = Object.keys(StorageOpt ?? {})[0];
  refuse(option !== undefined, `--storage-opt is not supported: ${option}`);
  const realtime = hostConfig.CpuRealtimePeriod !== 0 || hostConfig.CpuRealtimeRuntime !== 0;
  refuse(realtime, "Your kernel does not support CPU real-time scheduler");
}

function fillDefaults(hostConfig: HostConfig, host: HostFacts, unconfinedPaths: boolean): void {
  // Twice the memory: as much swap as memory.
  if (hostConfig.Memory > 0 && hostConfig.MemorySwap === 0) hostConfig.MemorySwap = 2 * hostConfig.Memory;
  if (hostConfig.ShmSize === 0) hostConfig.ShmSize = DEFAULT_SHM_SIZE;
  if (hostConfig.IpcMode === "") hostConfig.IpcMode = "private";
  if (hostConfig.CgroupnsMode === "") hostConfig.CgroupnsMode = host.cgroup.mode === "v2" ? "private" : "host";
  hostConfig.OomKillDisable ??= false;
  fillPaths(hostConfig, unconfinedPaths, host.thermalThrottle);
  const labelless = hostConfig.Privileged || hostConfig.IpcMode === "host" || hostConfig.PidMode === "host";
  if (labelless && !hostConfig.SecurityOpt?.includes("label=disable")) {
    hostConfig.SecurityOpt = [...(hostConfig.SecurityOpt ?? []), "label=disable"];
  }
}

function validateSecurity(security: SecurityOptions, bounding: readonly string[], host: HostFacts): void {
  const { seccomp, apparmor, privateTime } = security;
  refuse(privateTime && !host.timeNamespaces, "Your kernel does not support time namespaces (Linux 5.6)");
  if (seccomp !== undefined && seccomp !== "builtin" && seccomp !== "unconfined") {
    refuse(host.seccomp === undefined, "seccomp is not enabled in your kernel, cannot run a custom seccomp profile");
    if (host.seccomp) loadProfile(seccomp, host.seccomp.host, bounding);
  }
  const confines = apparmor !== undefined && apparmor !== "unconfined";
  refuse(confines && !host.apparmor, `AppArmor is not enabled on this host: cannot use the profile ${apparmor}`);
}

function refuse(condition: boolean, message: string): void {
  if (condition) throw new EngineError("invalid", message);
}
