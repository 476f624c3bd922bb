/** Asks libseccomp (which crun brings along) for the numbers of system calls. */
import { dlopen } from "bun:ffi";
import { cString } from "./libc.ts";

/** Tokens of libseccomp: the kernel's AUDIT_ARCH_… values, x32 aside, which libseccomp invented. */
export const scmpArch = {
  SCMP_ARCH_X86_64: 0xc000003e,
  SCMP_ARCH_X86: 0x40000003,
  SCMP_ARCH_X32: 0x4000003e,
  SCMP_ARCH_AARCH64: 0xc00000b7,
  SCMP_ARCH_ARM: 0x40000028,
} as const;

export type ScmpArch = keyof typeof scmpArch;

/** The number of a call on an architecture; negative (libseccomp's pseudo numbers, -1) where it has none. */
export type SyscallResolver = (arch: ScmpArch, name: string) => number;

/** Hands `use` a resolver and closes the library after it. Answers undefined where the library is not installed. */
export function withSyscallNumbers<T>(use: (resolve: SyscallResolver) => T): T | undefined {
  let library;
  try {
    library = dlopen("libseccomp.so.2", {
      seccomp_syscall_resolve_name_arch: { args: ["u32", "ptr"], returns: "i32" },
    });
  } catch {
    return undefined;
  }
  const { symbols } = library;
  try {
    return use((arch, name) => symbols.seccomp_syscall_resolve_name_arch(scmpArch[arch], cString(name)));
  } finally {
    library.close();
  }
}
