/** Finds (and, after a failure, removes) everything that a stopped daemon could have left in the kernel and on disk. */
import { type Dirent, existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { defaultNames } from "#engine/network/names.ts";
import { unmount } from "#linux/mount.ts";
import { NETLINK_ROUTE, Netlink } from "#linux/netlink.ts";
import { deleteLink } from "#linux/netlink-link.ts";
import { Nftables } from "#linux/nftables.ts";
import { ENODEV, hasErrno } from "#linux/syscall-error.ts";

/** Where to look: one engine's own things. */
export interface Kernel {
  dataRoot: string;
  execRoot: string;
  /** The default bridge: it stays when a daemon stops, because containers do. */
  bridge: string;
  /** Ids of containers that once were. */
  containers: Set<string>;
  /** Bridges of networks that once were. */
  bridges: Set<string>;
}

/** Folders of which nothing may be left, with what stays in them. */
const emptyFolders = {
  dataRoot: ["ingest", "tmp", "containers", "snapshots", "layers", "blobs/sha256", "volumes"],
  execRoot: ["netns", "bundles", "exits", "a", "runtime"],
} as const;

/** One line for each thing that is left. With `remove` also ends it, the default bridge included. */
export async function sweep(kernel: Kernel, options: { remove?: boolean } = {}): Promise<string[]> {
  const remove = options.remove === true;
  if (remove) for (const device of bridgesOf(kernel)) kernel.bridges.add(device);
  return [
    ...processes(kernel, remove),
    ...(await mounts(kernel, remove)),
    ...links(kernel, remove),
    ...firewall(kernel, remove),
    ...cgroups(kernel, remove),
    ...(remove ? [] : files(kernel)),
  ];
}

/** Monitors, runtimes and helpers carry a path below one of the roots on their command line. */
function processes(kernel: Kernel, remove: boolean): string[] {
  const left: string[] = [];
  for (const pid of numbers(readdirSync("/proc"))) {
    const command = read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
    if (pid === process.pid || !(command.includes(`${kernel.execRoot}/`) || command.includes(`${kernel.dataRoot}/`)))
      continue;
    left.push(`process ${pid}: ${command.slice(0, 200)}`);
    if (remove) {
      for (const child of [...children(pid), pid]) {
        try {
          process.kill(child, "SIGKILL");
        } catch {
          // Gone by itself in the meantime.
        }
      }
    }
  }
  return left;
}

function children(pid: number): number[] {
  return numbers(read(`/proc/${pid}/task/${pid}/children`).split(" "));
}

async function mounts(kernel: Kernel, remove: boolean): Promise<string[]> {
  const points = read("/proc/self/mountinfo")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((point) => point.startsWith(`${kernel.execRoot}/`) || point.startsWith(`${kernel.dataRoot}/`));
  // The innermost first.
  if (remove) for (const point of points.toReversed()) unmount(point, { detach: true });
  return points.map((point) => `mount ${point}`);
}

function links(kernel: Kernel, remove: boolean): string[] {
  const master = (name: string) => {
    try {
      return readlinkSync(`/sys/class/net/${name}/master`).split("/").at(-1) ?? "";
    } catch {
      return "";
    }
  };
  const bridges = [kernel.bridge, ...kernel.bridges];
  const names = readdirSync("/sys/class/net");
  const left = names.filter((name) => kernel.bridges.has(name) || bridges.includes(master(name)));
  if (remove) {
    using netlink = Netlink.open(NETLINK_ROUTE);
    for (const name of [...left, ...names.filter((name) => name === kernel.bridge)]) {
      try {
        netlink.execute(deleteLink(name));
      } catch (error) {
        // With its namespace or its other end, a link goes by itself.
        if (!hasErrno(error, ENODEV)) throw error;
      }
    }
  }
  return left.map((name) => `link ${name}`);
}

/** Devices of the daemon's networks, as its nftables table names them. */
export function bridgesOf(kernel: Pick<Kernel, "execRoot">): string[] {
  using nftables = new Nftables();
  const content = nftables.list(`set inet ${defaultNames(kernel.execRoot).table} bridges`, { elements: true }) ?? [];
  return content.flatMap(({ set }) => (set as { elem?: string[] } | undefined)?.elem ?? []);
}

/** The daemon's table stays with its bridges; no port may be left in it. */
function firewall(kernel: Kernel, remove: boolean): string[] {
  using nftables = new Nftables();
  const left: string[] = [];
  const { table } = defaultNames(kernel.execRoot);
  const content = nftables.list(`table inet ${table}`, { elements: true });
  for (const item of content ?? []) {
    const set = (item["map"] ?? item["set"]) as { name: string; elem?: unknown[] } | undefined;
    if (set === undefined || !/^(published|opened)/.test(set.name)) continue;
    for (const element of set.elem ?? []) left.push(`nft element of ${table} ${set.name}: ${JSON.stringify(element)}`);
  }
  if (remove && content !== undefined) nftables.run("cannot remove the table of a test", `delete table inet ${table}`);
  return left;
}

/** Cgroups carry the container's id in their name, on every hierarchy. */
function cgroups(kernel: Kernel, remove: boolean): string[] {
  const left: string[] = [];
  const visit = (folder: string, depth: number): void => {
    for (const entry of subfolders(folder)) {
      const path = join(folder, entry.name);
      if (depth > 0) visit(path, depth - 1);
      const id = /[0-9a-f]{64}/.exec(entry.name)?.[0];
      if (id === undefined || !kernel.containers.has(id)) continue;
      left.push(`cgroup ${path}`);
      if (remove) rmdirSync(path);
    }
  };
  if (existsSync("/sys/fs/cgroup")) visit("/sys/fs/cgroup", 4);
  return left;
}

/** Other daemons' groups come and go while we look. */
function subfolders(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

function files(kernel: Kernel): string[] {
  const left: string[] = [];
  for (const root of ["dataRoot", "execRoot"] as const) {
    for (const folder of emptyFolders[root]) {
      const path = join(kernel[root], folder);
      if (!existsSync(path)) continue;
      // Newer versions of crun keep compiled system call filters there, for all containers.
      const names = readdirSync(path).filter((name) => folder !== "runtime" || name !== ".cache");
      for (const name of names) left.push(`file ${join(path, name)}`);
    }
  }
  return left;
}

function numbers(names: readonly string[]): number[] {
  return names.map(Number).filter((number) => Number.isInteger(number) && number > 0);
}

/** Empty where the file is not there (any more). */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
