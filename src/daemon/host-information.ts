/** What `/info` tells of the host beside counts: facts that are read anew at each call, and warnings in Docker's words. */
import { readdirSync, readFileSync, statfsSync } from "node:fs";
import type { RegistryServiceConfig } from "#api/types/system.ts";
import type { HostFacts } from "#engine/spec/host.ts";
import type { Configuration } from "./configuration.ts";

/** Magic numbers of statfs(2) by Docker's names of the file systems. */
const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  0xef53: "extfs",
  0x58465342: "xfs",
  0x9123683e: "btrfs",
  0x01021994: "tmpfs",
  0xf2f52010: "f2fs",
  0x794c7630: "overlayfs",
  0x2fc12fc1: "zfs",
};

/** The storage driver's rows, as Docker's overlay2 shows them. */
export function driverStatus(dataRoot: string): [string, string][] {
  const type = statfsSync(dataRoot).type >>> 0;
  return [
    ["Backing Filesystem", FILE_SYSTEMS[type] ?? `0x${type.toString(16)}`],
    ["Supports d_type", "true"],
    ["Using metacopy", "false"],
    ["Native Overlay Diff", "true"],
    ["userxattr", "false"],
  ];
}

/** Where cgroup v1 keeps what v2 has in io.max. */
const THROTTLE_FILES = {
  rbps: "read_bps_device",
  wbps: "write_bps_device",
  riops: "read_iops_device",
  wiops: "write_iops_device",
} as const;

/** What limits this host lacks; and where the API is open to more than this host's users. */
export function hostWarnings(
  { limits, cgroup }: HostFacts,
  configuration: Pick<Configuration, "hosts" | "tls" | "tlsverify">,
  forwarding: boolean,
): string[] {
  const v1 = cgroup.mode !== "v2";
  const rows: [boolean, string][] = [
    [limits.memory, "No memory limit support"],
    [limits.swap, "No swap limit support"],
    [limits.oomKillDisable || !v1, "No oom kill disable support"],
    [limits.cpuQuota, "No cpu cfs quota support"],
    [limits.cpuQuota, "No cpu cfs period support"],
    [limits.cpuShares, "No cpu shares support"],
    [limits.cpuset !== undefined, "No cpuset support"],
    [limits.pids, "No pids limit support"],
    [limits.blkioWeight || v1, "No io.weight support"],
    [limits.blkioWeightDevice || v1, "No io.weight (per device) support"],
    ...(["rbps", "wbps", "riops", "wiops"] as const).map((kind): [boolean, string] => [
      limits.blkioThrottle,
      v1 ? `No blkio throttle.${THROTTLE_FILES[kind]} support` : `No io.max (${kind}) support`,
    ]),
    [forwarding, "IPv4 forwarding is disabled"],
  ];
  return [...rows.filter(([has]) => !has).map(([, text]) => `WARNING: ${text}`), ...exposures(configuration)];
}

function exposures({ hosts, tls, tlsverify }: Pick<Configuration, "hosts" | "tls" | "tlsverify">): string[] {
  if (tlsverify) return [];
  const [scheme, lack] = tls ? ["https", "TLS client verification"] : ["http", "encryption"];
  return hosts
    .filter((host) => host.startsWith("tcp://"))
    .map(
      (host) =>
        `WARNING: API is accessible on ${scheme}://${host.slice("tcp://".length)} without ${lack}.\n` +
        "         Access to the remote API is equivalent to root access on the host.",
    );
}

export function registryConfig(mirrors: readonly string[], insecure: readonly string[]): RegistryServiceConfig {
  const hub = { Name: "docker.io", Mirrors: [...mirrors], Secure: true, Official: true };
  const ranges = insecure.filter((entry) => entry.includes("/"));
  const names = insecure.filter((entry) => !entry.includes("/"));
  return {
    InsecureRegistryCIDRs: ["::1/128", "127.0.0.0/8", ...ranges],
    IndexConfigs: {
      "docker.io": hub,
      ...Object.fromEntries(names.map((Name) => [Name, { Name, Mirrors: [], Secure: false, Official: false }])),
    },
    Mirrors: [...mirrors],
  };
}

/** Descriptors that this process holds open. */
export function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** A field of os-release(5). */
export function osRelease(field: string): string | undefined {
  return new RegExp(`^${field}="?([^"\n]*)"?$`, "m").exec(readText("/etc/os-release"))?.[1];
}

/** A proxy's address without its password. */
export function proxyAddress(name: string): string {
  const value = process.env[name.toUpperCase()] || process.env[name.toLowerCase()] || "";
  return value.replace(/^(\w+:\/\/)[^/@]*@/, "$1xxxxx:xxxxx@");
}

/** Empty where there is no such file. */
export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}
