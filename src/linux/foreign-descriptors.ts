/** Duplicates descriptors that another process holds (pidfd_getfd(2)). */
import { closeFd } from "./descriptor.ts";
import { syscall } from "./libc.ts";

/**
 * Descriptors of our own, close-on-exec, for the same open files; undefined for those that the process has not or that
 * the kernel does not let us have (before Linux 5.6). The caller closes them.
 */
export function duplicateForeign(pid: number, fds: readonly number[]): (number | undefined)[] {
  const process = syscall("pidfd_open", pid, 0);
  if (process < 0) return fds.map(() => undefined);
  try {
    return fds.map((fd) => {
      const own = syscall("pidfd_getfd", process, fd, 0);
      return own < 0 ? undefined : own;
    });
  } finally {
    closeFd(process);
  }
}
