/** Moves the calling thread into another network namespace and back: for threads of their own, never the main one. */
import { AT_FDCWD, checked, cString, O_CLOEXEC, syscall } from "./libc.ts";
import { SyscallError } from "./syscall-error.ts";

/** The namespace of the thread that looks; /proc/self would be that of the main thread. */
export const OWN_NAMESPACE = "/proc/thread-self/ns/net";
export const CLONE_NEWNET = 0x40000000;

/** Does `work` inside the namespace that is mounted at a path, or that /proc shows. Synchronous: nothing else runs meanwhile. */
export function inNamespace<T>(namespace: string, work: () => T): T {
  const doing = `cannot enter the network namespace ${namespace}`;
  return away(() => {
    enter(doing, namespace);
    return work();
  });
}

/** Moves this thread. */
export function enter(doing: string, namespace: string): void {
  const fd = checked(doing, namespace, "openat", AT_FDCWD, cString(namespace), O_CLOEXEC);
  const result = syscall("setns", fd, CLONE_NEWNET);
  syscall("close", fd);
  if (result < 0) throw new SyscallError({ doing, call: "setns", args: namespace, errno: -result });
}

/** Runs `work`, which may change this thread's network namespace, and comes home. Synchronous: nothing else runs meanwhile. */
export function away<T>(work: () => T): T {
  const doing = "cannot return from a network namespace";
  const home = checked(doing, OWN_NAMESPACE, "openat", AT_FDCWD, cString(OWN_NAMESPACE), O_CLOEXEC);
  try {
    return work();
  } finally {
    const result = syscall("setns", home, CLONE_NEWNET);
    syscall("close", home);
    // A thread that is lost in a namespace must not serve another request: the owner starts a new one.
    if (result < 0) process.exit(1);
  }
}
