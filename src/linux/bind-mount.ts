/** Shows existing files at a second place: bind mounts, and copies of mounts that have no place at all. */
import { EngineError } from "#lib/errors.ts";
import { closeFd } from "./descriptor.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE, checked, cString, O_CLOEXEC } from "./libc.ts";
import { EINVAL, ENOSYS, EPERM, hasErrno } from "./syscall-error.ts";
import type { OwnerShift } from "./user-namespace.ts";

/** As in mount(8); those with an "r" also reach the mounts below. */
export type Propagation = keyof typeof PROPAGATION;

export interface BindOptions {
  /** Of this mount only, or with "recursive" of every mount below it too (kernel 5.12). */
  readonly readOnly?: boolean | "recursive";
  /** Takes along what is mounted below `source`. */
  readonly recursive?: boolean;
  /** That of the parent unless given. */
  readonly propagation?: Propagation;
  /** Shifts the owners of files (kernel 5.12). */
  readonly owners?: Pick<OwnerShift, "fd"> | undefined;
}

/** A path, or one by a descriptor (`/proc/self/fd/N`) with the name that errors shall show. */
export type BindSource = string | { readonly path: string; readonly shown: string };

/** Shows the file or folder `source` at `target` (a path or a descriptor), which must exist and be of the same sort. */
export function bindMount(source: BindSource, target: string | number, options: BindOptions = {}): void {
  const tree = cloneMount(source, options);
  try {
    moveMount(`cannot bind-mount ${named(source).shown} at ${target}`, tree, target);
  } finally {
    closeFd(tree);
  }
}

/**
 * A copy of the mount at `source`, with what is mounted below it where `recursive`, without a place of its own: it
 * lives as long as the descriptor, which the caller closes. Others reach it by `/proc/<pid>/fd/<fd>`.
 * Throws SyscallError.
 */
export function cloneMount(source: BindSource, options: BindOptions = {}): number {
  const { readOnly = false, recursive = false, propagation, owners } = options;
  const { path, shown } = named(source);
  const doing = `cannot clone the mount at ${shown}`;
  const flags = OPEN_TREE_CLONE | O_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
  const tree = checked(doing, shown, "open_tree", AT_FDCWD, cString(path), flags);
  try {
    if (readOnly !== false) setAttributes(doing, tree, MOUNT_ATTR_RDONLY, 0, readOnly === "recursive");
    if (propagation !== undefined) setPropagation(tree, propagation);
    if (owners !== undefined) shiftOwners(shown, tree, owners, recursive);
    return tree;
  } catch (error) {
    closeFd(tree);
    throw error;
  }
}

function named(source: BindSource): { path: string; shown: string } {
  return typeof source === "string" ? { path: source, shown: source } : source;
}

/** Of the mount that `tree` is a descriptor of. */
export function setPropagation(tree: number, propagation: Propagation): void {
  const { type, deep } = PROPAGATION[propagation];
  setAttributes("cannot change a mount's propagation", tree, 0, type, deep);
}

/** Gives a mount without a place the place `target`. `doing` opens the message of the SyscallError. */
export function moveMount(doing: string, tree: number, target: string | number): void {
  const [folder, path, flag] =
    typeof target === "number" ? [target, "", MOVE_MOUNT_T_EMPTY_PATH] : [AT_FDCWD, target, 0];
  const flags = MOVE_MOUNT_F_EMPTY_PATH | flag;
  checked(doing, String(target), "move_mount", tree, cString(""), folder, cString(path), flags);
}

/** Says what is in the way: the kernel only answers that the argument is invalid. */
function shiftOwners(source: string, tree: number, owners: Pick<OwnerShift, "fd">, recursive: boolean): void {
  const doing = `cannot map the owners of the files in ${source} into a user namespace`;
  try {
    setAttributes(doing, tree, MOUNT_ATTR_IDMAP, 0, recursive, owners.fd);
  } catch (cause) {
    if (!hasErrno(cause, EINVAL, EPERM, ENOSYS)) throw cause;
    const what = cause.errno === ENOSYS ? "this kernel has" : "its file system, or one mounted below it, supports";
    throw new EngineError("unavailable", `${doing}: ${what} no idmapped mounts`, { cause });
  }
}

function setAttributes(
  doing: string,
  tree: number,
  set: number,
  propagation: number,
  recursive: boolean,
  userNamespace = 0,
): void {
  // struct mount_attr { __u64 attr_set, attr_clr, propagation, userns_fd; }
  const attributes = new BigUint64Array([BigInt(set), 0n, BigInt(propagation), BigInt(userNamespace)]);
  const flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
  checked(
    doing,
    recursive ? "recursive" : "",
    "mount_setattr",
    tree,
    cString(""),
    flags,
    attributes,
    attributes.byteLength,
  );
}

const OPEN_TREE_CLONE = 1;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const MOVE_MOUNT_T_EMPTY_PATH = 0x40;
const MOUNT_ATTR_RDONLY = 1;
const MOUNT_ATTR_IDMAP = 0x100000;
const PROPAGATION = {
  unbindable: { type: 1 << 17, deep: false },
  runbindable: { type: 1 << 17, deep: true },
  private: { type: 1 << 18, deep: false },
  rprivate: { type: 1 << 18, deep: true },
  slave: { type: 1 << 19, deep: false },
  rslave: { type: 1 << 19, deep: true },
  shared: { type: 1 << 20, deep: false },
  rshared: { type: 1 << 20, deep: true },
} as const;
