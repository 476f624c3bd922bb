/** Which capabilities a container gets: Docker's default set, changed by --cap-add, --cap-drop and --privileged. */
import { EngineError } from "#lib/errors.ts";

/** By number (linux/capability.h). */
const NAMES: readonly string[] = `
  CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
  NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
  SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
  MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`
  .trim()
  .split(/\s+/)
  .map((name) => `CAP_${name}`);

const KNOWN = new Set(NAMES);

export const defaultCapabilities: readonly string[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FSETID",
  "CAP_FOWNER",
  "CAP_MKNOD",
  "CAP_NET_RAW",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETFCAP",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_SYS_CHROOT",
  "CAP_KILL",
  "CAP_AUDIT_WRITE",
];

/** The names in a mask as /proc/<pid>/status shows it. */
export function capabilitiesOf(mask: bigint): string[] {
  return NAMES.filter((_, number) => (mask >> BigInt(number)) & 1n);
}

/**
 * Upper-cases and prefixes names; "ALL" stays. `option` (CapAdd, CapDrop) opens the message of a refusal.
 *
 * Throws kind "invalid" for an unknown name and for one that is not in `available`.
 */
export function normalizeCapabilities(
  option: string,
  names: readonly string[],
  available: readonly string[],
): string[] {
  return names.map((given) => {
    const upper = given.toUpperCase();
    if (upper === "ALL") return upper;
    const name = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
    if (!KNOWN.has(name)) throw new EngineError("invalid", `invalid ${option}: unknown capability: "${name}"`);
    if (!available.includes(name)) {
      throw new EngineError(
        "invalid",
        `invalid ${option}: capability not supported by your kernel or not available in the current environment: "${name}"`,
      );
    }
    return name;
  });
}

export interface CapabilityRequest {
  CapAdd: readonly string[] | null;
  CapDrop: readonly string[] | null;
  Privileged: boolean;
}

/** The bounding set of a container. Nothing outside `available` is ever in it. */
export function boundingSet(request: CapabilityRequest, available: readonly string[]): string[] {
  if (request.Privileged) return [...available];
  const add = normalizeCapabilities("CapAdd", request.CapAdd ?? [], available);
  // Dropping what cannot be had is no error of the client's.
  const drop = normalizeCapabilities("CapDrop", request.CapDrop ?? [], NAMES);
  if (add.includes("ALL")) return available.filter((name) => !drop.includes(name));
  if (drop.includes("ALL")) return [...new Set(add)];
  const kept = defaultCapabilities.filter((name) => available.includes(name) && !drop.includes(name));
  return [...new Set([...kept, ...add])];
}
