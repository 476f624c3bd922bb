/** Keeps mounts out of /proc, by whose files the runtime confines the container and finds its way (CVE-2019-16884). */
import { readlinkSync } from "node:fs";
import { join, posix } from "node:path";
import { EngineError } from "#lib/errors.ts";
import { fileSystemType } from "#linux/files.ts";
import type { ResolvedMount } from "./mount.ts";

/** Files with figures, which lxcfs and its like replace; the same as runc allows. */
const ALLOWED = new Set(
  "cpuinfo diskstats loadavg meminfo net/dev slabinfo stat swaps sys/kernel/ns_last_pid uptime"
    .split(" ")
    .map((name) => `/proc/${name}`),
);
const PROC_SUPER_MAGIC = 0x9fa0;
const MAX_LINKS = 40;

/** `rootfs` is the mounted image, in which nothing runs yet: links of its own are followed. Throws kind "invalid". */
export function refuseProcMounts(rootfs: string, mounts: readonly ResolvedMount[]): void {
  for (const { type, source, destination } of mounts) {
    const place = resolveInRoot(rootfs, destination);
    if (place !== "/proc" && !place.startsWith("/proc/")) continue;
    if (ALLOWED.has(place)) continue;
    // The kernel's own, as of a container that watches the host.
    if (place === "/proc" && type === "bind" && fileSystemType(source) === PROC_SUPER_MAGIC) continue;
    throw new EngineError("invalid", `cannot mount at ${destination}: ${JSON.stringify(place)} is inside /proc`);
  }
}

/** What is not there is taken by its name. */
function resolveInRoot(root: string, path: string): string {
  let resolved = "/";
  let links = 0;
  const rest = path.split("/");
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    const next = posix.join(resolved, name);
    const target = linkAt(join(root, next));
    if (target === undefined) {
      resolved = next;
      continue;
    }
    if (++links > MAX_LINKS) throw new EngineError("invalid", `cannot mount at ${path}: too many symbolic links`);
    if (target.startsWith("/")) resolved = "/";
    rest.unshift(...target.split("/"));
  }
  return resolved;
}

function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
