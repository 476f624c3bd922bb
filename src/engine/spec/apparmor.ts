/** Confines containers by an AppArmor profile of our own where the host has AppArmor. */
import { existsSync, readFileSync } from "node:fs";
import { EngineError } from "#lib/errors.ts";

export const defaultAppArmorProfile = "berth-default";

/** Whether the kernel enforces AppArmor profiles. */
export function appArmorEnabled(): boolean {
  const file = "/sys/module/apparmor/parameters/enabled";
  // The second is missing where securityfs is not mounted: nobody can load a profile there.
  return (
    existsSync(file) &&
    readFileSync(file, "utf8").startsWith("Y") &&
    existsSync("/sys/kernel/security/apparmor/.replace")
  );
}

/**
 * The default profile in apparmor.d(5) language. It forbids writing to the parts of /proc and /sys that reach the host,
 * mounting, and tracing or signalling what is outside the profile.
 */
export function appArmorProfile(name: string): string {
  const denied = [
    // Everything in /proc but the folders of processes and the sysctls of the container's own namespaces.
    "@{PROC}/* w",
    "@{PROC}/{[^1-9/],[^1-9/][^0-9/],[^1-9s/][^0-9y/][^0-9s/],[^1-9/][^0-9/][^0-9/][^0-9/]*}/** w",
    "@{PROC}/sys/[^k]** w",
    "@{PROC}/sys/kernel/{?,??,[^s][^h][^m]**} w",
    "@{PROC}/sysrq-trigger rwklx",
    "@{PROC}/kcore rwklx",
    "mount",
    ...["[^f]*/**", "f[^s]*/**", "fs/[^c]*/**", "fs/c[^g]*/**", "fs/cg[^r]*/**", "firmware/**"].map(
      (p) => `/sys/${p} wklx`,
    ),
    "/sys/devices/virtual/powercap/** rwklx",
    "/sys/kernel/security/** rwklx",
  ];
  return `abi <abi/3.0>,
#include <tunables/global>

profile ${name} flags=(attach_disconnected,mediate_deleted) {
  #include <abstractions/base>

  network,
  deny network alg,
  capability,
  file,
  umount,

  # The engine and its runtime, which are unconfined, may stop the container; its processes may signal each other.
  signal (receive) peer=unconfined,
  signal (receive) peer={runc,crun},
  # Where the runtime has a profile of its own, processes that may not gain privileges carry both names.
  signal (send,receive) peer="${name}{,//&crun,//&runc}",
  ptrace (trace,read,tracedby,readby) peer="${name}{,//&crun,//&runc}",

${denied.map((rule) => `  deny ${rule},`).join("\n")}
}
`;
}

/**
 * Loads the default profile into the kernel; an older one of that name is replaced, for running containers too.
 * Some milliseconds in a child process, once per start.
 *
 * Rejects with kind "unavailable" where `apparmor_parser` is missing or refuses; containers must then run unconfined.
 */
export async function loadAppArmorProfile(): Promise<void> {
  const parser = Bun.which("apparmor_parser", { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` });
  if (parser === null) {
    throw new EngineError("unavailable", "AppArmor is on but apparmor_parser is missing: install the package apparmor");
  }
  const child = Bun.spawn([parser, "--replace", "--skip-cache"], {
    stdin: new Blob([appArmorProfile(defaultAppArmorProfile)]),
    stdout: "ignore",
    stderr: "pipe",
  });
  const [errors, code] = await Promise.all([child.stderr.text(), child.exited]);
  if (code !== 0) throw new EngineError("unavailable", `cannot load the AppArmor profile: ${errors.trim()}`);
}
