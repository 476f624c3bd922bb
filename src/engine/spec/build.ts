/** Makes the OCI runtime spec of a container from Docker's two configurations and the paths resolved for it. */
import { posix } from "node:path";
import type { ContainerConfig, HostConfig } from "#api/types/container-config.ts";
import type { ResolvedMount } from "#engine/volume/mount.ts";
import { EngineError } from "#lib/errors.ts";
import type { IdMap } from "#linux/id-map.ts";
import { defaultAppArmorProfile } from "./apparmor.ts";
import { boundingSet } from "./capabilities.ts";
import { injectDevices } from "./cdi.ts";
import { containerDevices } from "./devices.ts";
import { containerEnvironment } from "./environment.ts";
import type { HostFacts } from "./host.ts";
import { containerMounts, initPath, usesInit } from "./mounts.ts";
import { containerNamespaces, containerSysctls, idMappings } from "./namespaces.ts";
import { rootPropagation } from "./propagation.ts";
import { buildResources } from "./resources.ts";
import { containerRlimits } from "./rlimits.ts";
import { loadProfile } from "./seccomp-json.ts";
import { parseSecurityOptions, type SecurityOptions } from "./security-options.ts";
import type { ProcessSpec, RuntimeSpec, SeccompSpec } from "./types.ts";
import type { ResolvedUser } from "./user.ts";

export interface SpecInput {
  id: string;
  /** With the image's configuration already merged in (`mergeImageConfig`). */
  config: ContainerConfig;
  hostConfig: HostConfig;
  /** Absolute path of the mounted root file system. */
  rootfs: string;
  user: ResolvedUser;
  mounts: readonly ResolvedMount[];
  /** Host files bound over those of the image; undefined ones are not bound. */
  files: { hostname?: string; hosts?: string; resolvConf?: string };
  /**
   * `network` is a netns path, "host" or "new" (an empty one of the runtime's own). `pid` and `ipc` are the paths
   * `/proc/<pid>/ns/…` where the mode is `container:X` (or a kept namespace), else undefined.
   */
  namespaces: {
    network: { path: string } | "host" | "new";
    pid?: string;
    ipc?: string;
    /** Undefined is the host's. */
    user?: { path: string; map: IdMap };
  };
  /** The daemon's default, for containers that do not say. */
  noNewPrivileges?: boolean;
  /** Set where the daemon holds shared memory for `shareable` or `container:X`: bound over /dev/shm. */
  shmPath?: string;
}

export interface SpecResult {
  spec: RuntimeSpec;
  /** For the client: what was asked for and could not be had in full. */
  warnings: string[];
}

/**
 * Expects a host configuration that `validateContainer` has filled in.
 *
 * Synchronous and quick (well below 1 ms): reads the file system only for `--device`, privileged devices and shared
 * propagation. Throws kind "invalid" with Docker's words where a value cannot be honoured, "unavailable" where
 * `--init` has no program.
 */
export function buildSpec(input: SpecInput, host: HostFacts): SpecResult {
  const { config, hostConfig, rootfs, mounts } = input;
  const security = parseSecurityOptions(hostConfig.SecurityOpt ?? []);
  const { warnings } = security;
  const bounding = boundingSet(hostConfig, host.capabilities);
  const seccomp = containerSeccomp(hostConfig, security, bounding, host);
  const devices = containerDevices(hostConfig, warnings);
  const propagation = rootPropagation(mounts);
  const spec: RuntimeSpec = {
    ociVersion: "1.0.2",
    process: containerProcess(input, security, bounding, host),
    root: { path: rootfs, readonly: hostConfig.ReadonlyRootfs },
    ...(hostConfig.UTSMode !== "host" && { hostname: config.Hostname }),
    mounts: containerMounts(input, host, security.writableCgroups ?? hostConfig.Privileged),
    annotations: { ...hostConfig.Annotations, ...seccomp.annotations },
    linux: {
      resources: buildResources(hostConfig, devices.rules),
      cgroupsPath: cgroupPath(hostConfig.CgroupParent, input.id),
      namespaces: containerNamespaces(input),
      ...(input.namespaces.user && idMappings(input.namespaces.user.map)),
      devices: devices.nodes,
      sysctl: containerSysctls(input, host),
      ...(seccomp.rules && { seccomp: seccomp.rules }),
      ...(propagation !== undefined && { rootfsPropagation: propagation }),
      maskedPaths: hostConfig.MaskedPaths ?? [],
      readonlyPaths: hostConfig.ReadonlyPaths ?? [],
    },
  };
  injectDevices(spec, hostConfig.DeviceRequests ?? []);
  const { rlimits, warnings: clamped } = containerRlimits(hostConfig.Ulimits ?? [], host);
  spec.process.rlimits = rlimits;
  warnings.push(...clamped);
  if (spec.process.oomScoreAdj > hostConfig.OomScoreAdj) {
    warnings.push(
      `the OOM score adjustment was raised to ${spec.process.oomScoreAdj}: the daemon lacks CAP_SYS_RESOURCE`,
    );
  }
  return { spec, warnings };
}

function containerProcess(
  input: SpecInput,
  security: SecurityOptions,
  bounding: string[],
  host: HostFacts,
): ProcessSpec {
  const { config, hostConfig, user } = input;
  const command = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  const [height, width] = hostConfig.ConsoleSize;
  return {
    terminal: config.Tty,
    ...(config.Tty && height > 0 && width > 0 && { consoleSize: { height, width } }),
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    args: usesInit(input) ? [initPath, "--", ...command] : command,
    env: containerEnvironment(config, user.home),
    cwd: config.WorkingDir || "/",
    // The kernel empties both for a user other than root at execve(2); until then they let the runtime do its work.
    capabilities: { bounding, effective: bounding, permitted: bounding, inheritable: [], ambient: [] },
    rlimits: [],
    noNewPrivileges: security.noNewPrivileges ?? input.noNewPrivileges ?? false,
    ...(host.apparmor && { apparmorProfile: profileName(security.apparmor, hostConfig) }),
    oomScoreAdj: host.capabilities.includes("CAP_SYS_RESOURCE")
      ? hostConfig.OomScoreAdj
      : Math.max(hostConfig.OomScoreAdj, host.oomScoreAdj),
  };
}

/** Name of the AppArmor profile that confines a container, "unconfined", or empty on a host without AppArmor. */
export function appArmorProfileOf(host: HostFacts, hostConfig: HostConfig): string {
  if (!host.apparmor) return "";
  return profileName(parseSecurityOptions(hostConfig.SecurityOpt ?? []).apparmor, hostConfig);
}

function profileName(asked: string | undefined, { Privileged }: HostConfig): string {
  return asked ?? (Privileged ? "unconfined" : defaultAppArmorProfile);
}

function containerSeccomp(
  hostConfig: HostConfig,
  { seccomp }: SecurityOptions,
  bounding: readonly string[],
  { seccomp: profiles, seccompProfile }: HostFacts,
): { rules?: SeccompSpec; annotations?: Readonly<Record<string, string>> } {
  if (seccomp === undefined && hostConfig.Privileged) return {};
  const chosen = seccomp ?? seccompProfile ?? "builtin";
  if (chosen === "unconfined") return {};
  if (profiles === undefined) {
    if (chosen === "builtin") return {};
    throw new EngineError("invalid", "seccomp is not enabled in your kernel, cannot run a custom seccomp profile");
  }
  if (chosen === "builtin") return profiles.default(bounding);
  const rules = loadProfile(chosen, profiles.host, bounding);
  return rules === undefined ? {} : { rules };
}

/** Below the parent that was asked for; `..` cannot lead out of the hierarchy. */
export function cgroupPath(parent: string, id: string): string {
  return posix.join(posix.normalize(`/${parent || "berth"}`), id);
}
