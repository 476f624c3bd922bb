/** What the configuration means for the engine. */
import { readFileSync } from "node:fs";
import type { NetworkOptions } from "#engine/network/types.ts";
import type { Tuning } from "#engine/tuning.ts";
import { programVersion } from "#lib/build.ts";
import { EngineError, errorMessage } from "#lib/errors.ts";
import type { Configuration } from "./configuration.ts";
import type { Programs } from "./prerequisites.ts";

export function tuningOf(configuration: Configuration, { runtimes, defaultRuntime }: Programs): Tuning {
  return {
    runtimes,
    defaultRuntime,
    startTimeout: configuration["start-timeout"],
    registry: {
      userAgent: `berth/${programVersion}`,
      mirrors: configuration["registry-mirrors"],
      insecureRegistries: configuration["insecure-registries"],
      parallelDownloads: configuration["max-concurrent-downloads"],
      attempts: configuration["max-download-attempts"],
    },
    noNewPrivileges: configuration["no-new-privileges"],
    defaults: {
      cgroupParent: configuration["cgroup-parent"],
      cgroupnsMode: configuration["default-cgroupns-mode"],
      ipcMode: configuration["default-ipc-mode"],
      shmSize: configuration["default-shm-size"],
      ulimits: configuration["default-ulimits"],
      init: configuration.init,
      log: { Type: configuration["log-driver"], Config: configuration["log-opts"] },
    },
  };
}

/** Undefined for the built-in one. Throws kind "invalid" where the file cannot be read. */
export function seccompProfileOf(configuration: Configuration): string | undefined {
  const profile = configuration["seccomp-profile"];
  if (profile === "builtin") return undefined;
  if (profile === "unconfined") return profile;
  try {
    return readFileSync(profile, "utf8");
  } catch (cause) {
    throw new EngineError("invalid", `opening seccomp profile (${profile}) failed: ${errorMessage(cause)}`, { cause });
  }
}

/** `hostId` names this engine among all. */
export function networkOptionsOf(configuration: Configuration, hostId: string): NetworkOptions {
  const { bip, bip6, bridge, dns, mtu, icc, ip, ipv6 } = configuration;
  const search = configuration["dns-search"];
  const options = configuration["dns-opts"];
  const pools = configuration["default-address-pools"];
  const range = configuration["fixed-cidr"];
  const range6 = configuration["fixed-cidr-v6"];
  return {
    hostId,
    ...(bip !== "" && { bip }),
    ...(bip6 !== "" && { bip6 }),
    ...(bridge !== "" && { bridge }),
    ...(dns.length > 0 && { dns }),
    ...(search.length > 0 && { dnsSearch: search }),
    ...(options.length > 0 && { dnsOptions: options }),
    ...(pools.length > 0 && { pools }),
    defaultBridge: {
      connected: icc,
      masquerade: configuration["ip-masq"],
      mtu,
      ipv6,
      ...(ip !== "" && { hostBinding: ip }),
      ...(range !== "" && { range }),
      ...(range6 !== "" && { range6 }),
    },
  };
}
