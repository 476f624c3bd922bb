/** Bounds what a folder may take on disk, by project quotas (xfs, ext4): every file below it counts for its number. */
import { constants } from "node:fs";
import { EngineError } from "#lib/errors.ts";
import { closeFd, openPath } from "./descriptor.ts";
import { checked, syscall } from "./libc.ts";
import { listMounts, mountIdOf } from "./mountinfo.ts";
import { ENOENT } from "./syscall-error.ts";

/** Whether the file system of `folder` was mounted so that such bounds hold (`prjquota`) and this kernel lets us set them. */
export function hasProjectQuota(folder: string): boolean {
  return withFolder(folder, (fd) => {
    const id = mountIdOf(fd);
    const mount = listMounts().find((one) => one.id === id);
    return mount?.superOptions.includes("prjquota") === true && readQuota(fd, FIRST) !== undefined;
  });
}

/** A number under which nothing is counted or bounded yet on the file system of `folder`, and none of `taken`. */
export function freeProject(folder: string, taken: ReadonlySet<number>): number {
  return withFolder(folder, (fd) => {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const project = FIRST + Math.floor(Math.random() * SPAN);
      const quota = taken.has(project) ? undefined : readQuota(fd, project);
      if (quota !== undefined && quota.bytes === 0 && quota.limit === 0 && quota.files === 0) return project;
    }
    throw new EngineError("unavailable", `cannot find a free project number on the file system of ${folder}`);
  });
}

/** Counts the empty `folder`, and what will be in it, for `project`, and bounds that to `bytes`; 0 bounds no more. Throws SyscallError. */
export function setProjectQuota(folder: string, project: number, bytes: number): void {
  withFolder(folder, (fd) => {
    const doing = `cannot bound the size of ${folder}`;
    // struct fsxattr { __u32 xflags, extsize, nextents, projid, cowextsize; unsigned char pad[8]; }
    const attributes = new Uint32Array(7);
    checked(doing, "FS_IOC_FSGETXATTR", "ioctl", fd, FS_IOC_FSGETXATTR, attributes);
    attributes[0] = (attributes[0] ?? 0) | FS_XFLAG_PROJINHERIT;
    attributes[3] = project;
    checked(doing, "FS_IOC_FSSETXATTR", "ioctl", fd, FS_IOC_FSSETXATTR, attributes);
    const limit = bytesOfQuota(project, bytes);
    checked(doing, `project ${project}`, "quotactl_fd", fd, command(Q_XSETQLIM), project, limit);
  });
}

/** Bytes on disk that count for `project`; undefined where its file system counts none. */
export function projectUsage(folder: string, project: number): number | undefined {
  return withFolder(folder, (fd) => readQuota(fd, project)?.bytes);
}

interface Quota {
  bytes: number;
  files: number;
  /** 0: none. */
  limit: number;
}

function readQuota(fd: number, project: number): Quota | undefined {
  const quota = new Uint8Array(QUOTA_SIZE);
  const result = syscall("quotactl_fd", fd, command(Q_XGETQUOTA), project, quota);
  if (result === -ENOENT) return { bytes: 0, files: 0, limit: 0 };
  if (result < 0) return undefined;
  const view = new DataView(quota.buffer);
  const number = (offset: number): number => Number(view.getBigUint64(offset, true));
  return { limit: number(8) * BLOCK, bytes: number(40) * BLOCK, files: number(48) };
}

/** struct fs_disk_quota of linux/dqblk_xfs.h. */
function bytesOfQuota(project: number, bytes: number): Uint8Array {
  const quota = new Uint8Array(QUOTA_SIZE);
  const view = new DataView(quota.buffer);
  view.setInt8(0, FS_DQUOT_VERSION);
  view.setInt8(1, FS_PROJ_QUOTA);
  view.setUint16(2, FS_DQ_BSOFT | FS_DQ_BHARD, true);
  view.setUint32(4, project, true);
  const blocks = BigInt(Math.ceil(bytes / BLOCK));
  view.setBigUint64(8, blocks, true);
  view.setBigUint64(16, blocks, true);
  return quota;
}

function command(name: number): number {
  return (name << 8) | PRJQUOTA;
}

function withFolder<T>(folder: string, work: (fd: number) => T): T {
  const fd = openPath(folder, constants.O_DIRECTORY);
  try {
    return work(fd);
  } finally {
    closeFd(fd);
  }
}

/** Numbers that no hand-made list of projects is likely to use. */
const FIRST = 2 ** 30;
const SPAN = 2 ** 30;
const ATTEMPTS = 1000;
/** Unit of limits and use. */
const BLOCK = 512;
const FS_IOC_FSGETXATTR = 0x801c581f;
const FS_IOC_FSSETXATTR = 0x401c5820;
const FS_XFLAG_PROJINHERIT = 0x200;
const PRJQUOTA = 2;
const Q_XGETQUOTA = 0x5803;
const Q_XSETQLIM = 0x5804;
const QUOTA_SIZE = 112;
const FS_DQUOT_VERSION = 1;
const FS_PROJ_QUOTA = 2;
const FS_DQ_BSOFT = 4;
const FS_DQ_BHARD = 8;
