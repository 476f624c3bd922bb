/** Every mount of a container: the kernel's file systems, our own files over the image's, and what the user asked for. */
import { statSync } from "node:fs";
import type { ResolvedMount } from "#engine/volume/mount.ts";
import { EngineError } from "#lib/errors.ts";
import { mountRestrictions } from "#linux/files.ts";
import type { SpecInput } from "./build.ts";
import type { HostFacts } from "./host.ts";
import { initRemedy } from "./init-program.ts";
import type { MountSpec } from "./types.ts";

export const initPath = "/sbin/docker-init";

const proc: MountSpec = { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] };
const dev: MountSpec = {
  destination: "/dev",
  type: "tmpfs",
  source: "tmpfs",
  options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
};
const pts: MountSpec = {
  destination: "/dev/pts",
  type: "devpts",
  source: "devpts",
  options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
};
const sys: MountSpec = { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev"] };
const cgroup: MountSpec = {
  destination: "/sys/fs/cgroup",
  type: "cgroup",
  source: "cgroup",
  options: ["nosuid", "noexec", "nodev"],
};
const mqueue: MountSpec = {
  destination: "/dev/mqueue",
  type: "mqueue",
  source: "mqueue",
  options: ["nosuid", "noexec", "nodev"],
};

/** Stay writable in a read-only container. */
const ALWAYS_WRITABLE = new Set(["/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"]);

/** In the order in which they are made: the defaults, then the files, then the user's by depth. */
export function containerMounts(input: SpecInput, host: HostFacts, writableCgroups: boolean): MountSpec[] {
  const { hostConfig, mounts, files } = input;
  const taken = new Set(mounts.map((mount) => mount.destination));
  const free = (destination: string): boolean =>
    !taken.has(destination) && !(destination.startsWith("/dev/") && taken.has("/dev"));

  const defaults = [
    proc,
    dev,
    pts,
    hostConfig.Privileged ? sys : readOnly(sys),
    writableCgroups ? cgroup : readOnly(cgroup),
    mqueue,
    ...sharedMemory(input),
  ].filter(({ destination }) => free(destination));

  const own: MountSpec[] = [];
  const bindFile = (source: string | undefined, destination: string): void => {
    if (source === undefined || !free(destination)) return;
    own.push({ destination, type: "bind", source, options: ["rbind", "rprivate"] });
  };
  bindFile(files.resolvConf, "/etc/resolv.conf");
  bindFile(files.hostname, "/etc/hostname");
  bindFile(files.hosts, "/etc/hosts");

  const ours = [...defaults, ...own].map((mount) =>
    hostConfig.ReadonlyRootfs && !ALWAYS_WRITABLE.has(mount.destination) ? readOnly(mount) : mount,
  );
  return [...ours, ...initMount(input, host), ...mounts.toSorted(byDepth).map((mount) => userMount(mount, host))];
}

function sharedMemory({ hostConfig, shmPath }: SpecInput): MountSpec[] {
  const destination = "/dev/shm";
  if (hostConfig.IpcMode === "none") return [];
  const source = hostConfig.IpcMode === "host" ? "/dev/shm" : shmPath;
  if (source !== undefined) return [{ destination, type: "bind", source, options: ["rbind", "rprivate"] }];
  const options = ["nosuid", "noexec", "nodev", "mode=1777", `size=${hostConfig.ShmSize}`];
  return [{ destination, type: "tmpfs", source: "shm", options }];
}

/** Whether `--init` takes effect: never in a pid namespace that has an init already. */
export function usesInit({ hostConfig }: SpecInput): boolean {
  return hostConfig.Init === true && hostConfig.PidMode === "";
}

function initMount(input: SpecInput, host: HostFacts): MountSpec[] {
  if (!usesInit(input)) return [];
  if (host.init === undefined) {
    throw new EngineError("unavailable", `cannot use --init: no static init program is installed; ${initRemedy}`);
  }
  return [{ destination: initPath, type: "bind", source: host.init, options: ["bind", "ro"] }];
}

function userMount(mount: ResolvedMount, host: HostFacts): MountSpec {
  const { destination, source } = mount;
  if (mount.type === "tmpfs") {
    return { destination, type: "tmpfs", source: "tmpfs", options: mount.tmpfs?.options ?? [] };
  }
  const options = [mount.bind?.nonRecursive ? "bind" : "rbind"];
  // Runtimes that set the flags of a bind take away those that are not named.
  const kept = exists(source) ? mountRestrictions(source) : [];
  options.push(...kept.filter((word) => word !== "ro" || !mount.readOnly));
  if (mount.readOnly) options.push(readOnlyOption(mount, host));
  if (mount.propagation !== "") options.push(propagation(mount));
  return { destination, type: "bind", source, options };
}

/** Nothing is below a bind without submounts, and crun would take these along for the sake of an `r` here. */
function propagation({ propagation: asked, bind }: ResolvedMount): string {
  return bind?.nonRecursive ? asked.replace(/^r/, "") : asked;
}

/** Everything below the source is read-only too, where the kernel can (mount_setattr(2), 5.12). */
export function readOnlyOption({ bind, destination, source }: ResolvedMount, { kernel }: HostFacts): "rro" | "ro" {
  const can = kernel.major > 5 || (kernel.major === 5 && kernel.minor >= 12);
  if (bind?.readOnlyForceRecursive && !can) {
    throw new EngineError(
      "invalid",
      `cannot make the mount ${destination} recursively read-only: it needs Linux 5.12 or newer`,
    );
  }
  // There is nothing below a file, and crun before 1.9 takes what is to be rro for a folder.
  const isFolder = statSync(source, { throwIfNoEntry: false })?.isDirectory() === true;
  return can && isFolder && !bind?.readOnlyNonRecursive ? "rro" : "ro";
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function readOnly(mount: MountSpec): MountSpec {
  return mount.options.includes("ro") ? mount : { ...mount, options: [...mount.options, "ro"] };
}

function byDepth(a: ResolvedMount, b: ResolvedMount): number {
  const depth = (path: string): number => (path === "/" ? 0 : path.split("/").length);
  return depth(a.destination) - depth(b.destination);
}
