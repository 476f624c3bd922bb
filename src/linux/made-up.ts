/** Tells file systems whose content the kernel makes up while it is read. */
import { syscall } from "./libc.ts";

/** Bytes of struct statfs, at least. */
const STATFS_SIZE = 128;
/** `f_type` (linux/magic.h) of proc, sysfs, devpts, mqueue, cgroup, cgroup2, debugfs, tracefs, securityfs, bpf, pstore. */
const MADE_UP: ReadonlySet<number> = new Set([
  0x9fa0, 0x62656572, 0x1cd1, 0x19800202, 0x27e0eb, 0x63677270, 0x64626720, 0x74726163, 0x73636673, 0xcafe4a11,
  0x6165676c,
]);

/** Whether the open file or folder `fd` is in one of them: /proc, /sys and their like. */
export function isMadeUp(fd: number): boolean {
  const buffer = Buffer.alloc(STATFS_SIZE);
  return syscall("fstatfs", fd, buffer) === 0 && MADE_UP.has(buffer.readUInt32LE(0));
}
