/** Reads a `--security-opt seccomp=<profile>`: Docker's JSON format, whose conditions are decided here. */
import { EngineError } from "#lib/errors.ts";
import type { SeccompHost } from "./seccomp.ts";
import { seccompArchitectures } from "./seccomp.ts";
import type { SeccompArg, SeccompRule, SeccompSpec } from "./types.ts";

interface Condition {
  caps?: string[] | null;
  arches?: string[] | null;
  /** `4.8` */
  minKernel?: string | null;
}

interface ProfileRule {
  name?: string;
  names?: string[] | null;
  action?: string;
  errnoRet?: number;
  args?: SeccompArg[] | null;
  includes?: Condition | null;
  excludes?: Condition | null;
}

interface Profile {
  defaultAction?: string;
  defaultErrnoRet?: number;
  architectures?: string[] | null;
  archMap?: { architecture: string; subArchitectures?: string[] | null }[] | null;
  flags?: string[] | null;
  syscalls?: ProfileRule[] | null;
}

/** What Docker's profiles call an architecture in `arches`. */
const GO_ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/**
 * The rules that hold on this host for this bounding set; undefined for an empty profile, which switches filtering off.
 *
 * Throws kind "invalid" where the text is not such a profile.
 */
export function loadProfile(text: string, host: SeccompHost, capabilities: readonly string[]): SeccompSpec | undefined {
  const profile = parse(text);
  const rules = profile.syscalls ?? [];
  if (profile.defaultAction === undefined || profile.defaultAction === "") {
    if (rules.length === 0) return undefined;
    throw refuse("it has no defaultAction");
  }
  const native = seccompArchitectures[host.arch]?.[0];
  const mapped = (profile.archMap ?? []).find((entry) => entry.architecture === native);
  if (profile.architectures?.length && profile.archMap?.length) {
    throw refuse(
      "both 'architectures' and 'archMap' are specified in the seccomp profile, use either 'architectures' or 'archMap'",
    );
  }
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet !== undefined && { defaultErrnoRet: profile.defaultErrnoRet }),
    architectures: mapped
      ? [mapped.architecture, ...(mapped.subArchitectures ?? [])]
      : [...(profile.architectures ?? [])],
    ...(profile.flags?.length && { flags: profile.flags }),
    syscalls: rules.filter((rule) => applies(rule, host, capabilities)).map(toRule),
  };
}

function parse(text: string): Profile {
  let profile: unknown;
  try {
    profile = JSON.parse(text);
  } catch (cause) {
    throw refuse(cause instanceof Error ? cause.message : String(cause));
  }
  if (typeof profile !== "object" || profile === null || Array.isArray(profile))
    throw refuse("it is not a JSON object");
  const { syscalls } = profile as Profile;
  if (syscalls !== undefined && syscalls !== null && !Array.isArray(syscalls)) throw refuse("'syscalls' is not a list");
  return profile;
}

function toRule(rule: ProfileRule): SeccompRule {
  if (rule.name && rule.names?.length) {
    throw refuse("both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'");
  }
  const names = rule.name ? [rule.name] : (rule.names ?? []);
  if (!names.every((name) => typeof name === "string") || typeof rule.action !== "string") {
    throw refuse("a rule needs 'names' and 'action'");
  }
  return {
    names,
    action: rule.action,
    ...(rule.errnoRet !== undefined && { errnoRet: rule.errnoRet }),
    ...(rule.args?.length && { args: rule.args }),
  };
}

function applies({ includes, excludes }: ProfileRule, host: SeccompHost, capabilities: readonly string[]): boolean {
  const arch = GO_ARCHITECTURES[host.arch] ?? host.arch;
  if (excludes) {
    if (excludes.arches?.includes(arch)) return false;
    if (excludes.caps?.some((name) => capabilities.includes(name))) return false;
    if (excludes.minKernel && atLeast(host.kernel, excludes.minKernel)) return false;
  }
  if (includes) {
    if (includes.arches?.length && !includes.arches.includes(arch)) return false;
    if (includes.caps?.some((name) => !capabilities.includes(name))) return false;
    if (includes.minKernel && !atLeast(host.kernel, includes.minKernel)) return false;
  }
  return true;
}

function atLeast(kernel: { major: number; minor: number }, text: string): boolean {
  const [major, minor] = text.split(".").map(Number);
  if (major === undefined || minor === undefined || Number.isNaN(major + minor))
    throw refuse(`invalid kernel version: ${text}`);
  return kernel.major > major || (kernel.major === major && kernel.minor >= minor);
}

function refuse(why: string): EngineError {
  return new EngineError("invalid", `Decoding seccomp profile failed: ${why}`);
}
