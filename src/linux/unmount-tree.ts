/** Takes mounts off with all that is below them, and nothing of it off anywhere else. */
import { cString, syscall } from "./libc.ts";
import { unmount } from "./mount.ts";
import { EINVAL, ENOENT, SyscallError } from "./syscall-error.ts";

/**
 * True when there was a mount at `target`. Who uses it keeps it. Where mounts are shared, as systemd makes them, those
 * below a copy stand for those below its origin too, and would take them along. Throws SyscallError.
 */
export function unmountTree(target: string): boolean {
  const none = cString("none");
  const result = syscall("mount", none, cString(target), none, MS_REC | MS_PRIVATE, null);
  if (result === -EINVAL || result === -ENOENT) return false;
  if (result < 0) {
    throw new SyscallError({ doing: `cannot unmount ${target}`, call: "mount", args: target, errno: -result });
  }
  return unmount(target, { detach: true });
}

const MS_REC = 0x4000;
const MS_PRIVATE = 0x40000;
