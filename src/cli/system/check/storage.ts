/** Checks of where images and containers are kept, and of who asks. */
import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { humanSize } from "../../units.ts";
import { fail, type Finding, ok, warn } from "./finding.ts";
import type { HostFiles } from "./host.ts";

/** Magic numbers of statfs(2). */
const fileSystems: Readonly<Record<number, string>> = {
  0xef53: "ext4",
  0x58465342: "xfs",
  0x9123683e: "btrfs",
  0x01021994: "tmpfs",
  0xf2f52010: "f2fs",
  0x2fc12fc1: "zfs",
  0x794c7630: "overlay",
  0x6969: "nfs",
  0x517b: "smb",
  0xff534d42: "cifs",
  0x65735546: "fuse",
  0xf15f: "ecryptfs",
  0x4d44: "vfat",
};
/** As upper layers the kernel refuses them, or they lack what layers need (links, extended attributes, whiteouts). */
const unfit: readonly string[] = ["overlay", "nfs", "smb", "cifs", "ecryptfs", "vfat"];

const little = 1024 ** 3;
const tooLittle = 100 * 1024 ** 2;

/** `dataRoot` need not exist: then it is where it would be made. */
export function storageFindings(host: HostFiles, dataRoot: string): Finding[] {
  const folder = nearest(host, dataRoot);
  const { type, bavail, bsize, ffree, files } = statfsSync(host.path(folder));
  const kind = fileSystems[type >>> 0] ?? `0x${(type >>> 0).toString(16)}`;
  const free = bavail * bsize;
  const space = `${humanSize(free)} free for ${dataRoot}`;
  const remedy = "make room, or choose another --data-root";
  const inodes = files > 0 && ffree < 10_000;
  return [
    unfit.includes(kind)
      ? fail("file system", `${kind} at ${folder}`, "choose a --data-root on ext4, xfs or btrfs")
      : ok("file system", `${kind} at ${folder}`),
    free < tooLittle
      ? fail("disk space", space, remedy)
      : free < little || inodes
        ? warn("disk space", inodes ? `${ffree} inodes left for ${dataRoot}` : space, remedy)
        : ok("disk space", space),
  ];
}

function nearest(host: HostFiles, path: string): string {
  let folder = path;
  while (folder !== "/" && !host.exists(folder)) folder = dirname(folder);
  return folder;
}

export function userFindings(host: HostFiles, uid: number): Finding[] {
  const capabilities = BigInt(`0x${/^CapEff:\s*(\w+)/m.exec(host.read("/proc/self/status") ?? "")?.[1] ?? "0"}`);
  const lacks = Object.entries({ CAP_NET_ADMIN: 12n, CAP_SYS_ADMIN: 21n }).filter(
    ([, bit]) => (capabilities & (1n << bit)) === 0n,
  );
  const root =
    uid !== 0
      ? warn("privileges", "not root", "the daemon needs root; this command as root sees more")
      : lacks.length > 0
        ? fail("privileges", `root without ${lacks.map(([name]) => name).join(", ")}`, "run outside of a container")
        : (capabilities & (1n << 24n)) === 0n
          ? warn("privileges", "root without CAP_SYS_RESOURCE", "ulimits beyond the daemon's own are cut")
          : ok("privileges", "root");
  const group = /^docker:/m.test(host.read("/etc/group") ?? "");
  return [
    root,
    group
      ? ok("group docker", "exists: its members may use the socket")
      : warn("group docker", "does not exist", "only root may use the socket: groupadd --system docker"),
  ];
}
