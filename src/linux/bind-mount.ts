/** Shows existing files at a second place: bind mounts, and copies of mounts that have no place at all. */
import { closeFd } from "./descriptor.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE, checked, cString, O_CLOEXEC } from "./libc.ts";

/** As in mount(8); those with an "r" also reach the mounts below. */
export type Propagation = keyof typeof PROPAGATION;

export interface BindOptions {
  /** Of this mount only, or with "recursive" of every mount below it too (kernel 5.12). */
  readonly readOnly?: boolean | "recursive";
  /** Takes along what is mounted below `source`. */
  readonly recursive?: boolean;
  /** That of the parent unless given. */
  readonly propagation?: Propagation;
}

/** Shows the file or folder `source` at `target` (a path or a descriptor), which must exist and be of the same sort. */
export function bindMount(source: string, target: string | number, options: BindOptions = {}): void {
  const tree = cloneMount(source, options);
  try {
    moveMount(`cannot bind-mount ${source} at ${target}`, tree, target);
  } finally {
    closeFd(tree);
  }
}

/**
 * A copy of the mount at `source`, with what is mounted below it where `recursive`, without a place of its own: it
 * lives as long as the descriptor, which the caller closes. Others reach it by `/proc/<pid>/fd/<fd>`.
 * Throws SyscallError.
 */
export function cloneMount(source: string, options: BindOptions = {}): number {
  const { readOnly = false, recursive = false, propagation } = options;
  const doing = `cannot clone the mount at ${source}`;
  const flags = OPEN_TREE_CLONE | O_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
  const tree = checked(doing, source, "open_tree", AT_FDCWD, cString(source), flags);
  try {
    if (readOnly !== false) setAttributes(doing, tree, MOUNT_ATTR_RDONLY, 0, readOnly === "recursive");
    if (propagation !== undefined) setPropagation(tree, propagation);
    return tree;
  } catch (error) {
    closeFd(tree);
    throw error;
  }
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

function setAttributes(doing: string, tree: number, set: number, propagation: number, recursive: boolean): void {
  // struct mount_attr { __u64 attr_set, attr_clr, propagation, userns_fd; }
  const attributes = new BigUint64Array([BigInt(set), 0n, BigInt(propagation), 0n]);
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
