/** Applies the default system call policy to a set of capabilities, as rules of the runtime spec. */
import {
  allowedAlways,
  allowedByArch,
  allowedByCapability,
  allowedSince48,
  cloneNamespaceFlags,
  deniedFamilies,
  personalities,
} from "./seccomp-table.ts";
import type { SeccompRule, SeccompSpec } from "./types.ts";

export interface SeccompHost {
  arch: string;
  kernel: { major: number; minor: number };
}

export const EPERM = 1;
export const ENOSYS = 38;

/** Architectures whose programs a kernel of the first one also runs. */
export const seccompArchitectures: Readonly<Record<string, readonly string[]>> = {
  x64: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
  arm64: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
};

/** Names allowed whatever their arguments. `capabilities` is the bounding set of the container. */
export function allowedNames(host: SeccompHost, capabilities: ReadonlySet<string>): Set<string> {
  const names = new Set(allowedAlways);
  const add = (more: readonly string[] | undefined): void => more?.forEach((name) => names.add(name));
  const { major, minor } = host.kernel;
  if (major > 4 || (major === 4 && minor >= 8)) add(allowedSince48);
  add(allowedByArch[host.arch]);
  for (const capability of capabilities) add(allowedByCapability[capability]);
  return names;
}

/** The default profile for one architecture, kernel and bounding set. Deny by default (EPERM). */
export function defaultProfile(host: SeccompHost, capabilities: ReadonlySet<string>): SeccompSpec {
  const allow = (names: string[], ...args: SeccompRule["args"] & object): SeccompRule => ({
    names,
    action: "SCMP_ACT_ALLOW",
    ...(args.length > 0 && { args }),
  });
  const { AF_ALG, AF_VSOCK } = deniedFamilies;
  const syscalls = [
    allow([...allowedNames(host, capabilities)]),
    allow(["socket"], { index: 0, value: AF_ALG, op: "SCMP_CMP_LT" }),
    allow(["socket"], { index: 0, value: AF_ALG + 1, op: "SCMP_CMP_EQ" }),
    allow(["socket"], { index: 0, value: AF_VSOCK, op: "SCMP_CMP_GT" }),
    ...personalities.map((value) => allow(["personality"], { index: 0, value, op: "SCMP_CMP_EQ" })),
  ];
  if (!capabilities.has("CAP_SYS_ADMIN")) {
    syscalls.push(
      allow(["clone"], { index: 0, value: cloneNamespaceFlags, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }),
      // glibc tries clone3 first, whose flags a filter cannot see: ENOSYS makes it use clone.
      { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS },
    );
  }
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: EPERM,
    architectures: [...(seccompArchitectures[host.arch] ?? [])],
    syscalls,
  };
}
