/** Helper operation that enters the mount namespaces of containers: it serves one change, and takes it no further than that. */
import { readSync, writeSync } from "node:fs";
import { type BindOptions, cloneMount, type Propagation, moveMount, setPropagation } from "./bind-mount.ts";
import { closeFd, openPath } from "./descriptor.ts";
import {
  AT_FDCWD,
  AT_RECURSIVE,
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  checked,
  cString,
  O_CLOEXEC,
  O_CREAT,
  O_EXCL,
  O_PATH,
  syscall,
} from "./libc.ts";
import { type FileSystemMount, newFileSystem } from "./mount.ts";
import { mountIdOf } from "./mountinfo.ts";
import {
  EEXIST,
  EINVAL,
  EISDIR,
  ENOENT,
  ENOTDIR,
  hasErrno,
  SyscallError,
  type SyscallFailure,
} from "./syscall-error.ts";

/**
 * `namespace` is the path of a mount namespace, in which the other paths are; those of `clone` are the host's. `tree`
 * is a mount without a place, by the number that an answer gave it.
 */
export type MountRequest =
  | {
      readonly do: "clone";
      readonly source: string;
      readonly options: Omit<BindOptions, "owners">;
      /** Path of the user namespace into which the owners of files are shifted. */
      readonly owners?: string;
    }
  | { readonly do: "make"; readonly fileSystem: FileSystemMount }
  | {
      readonly do: "attach";
      readonly namespace: string;
      readonly tree: number;
      readonly destination: string;
      /** What is made where nothing is. */
      readonly sort: "folder" | "file";
      readonly propagation?: Propagation;
      /** Of what is made. */
      readonly owner?: { readonly uid: number; readonly gid: number };
    }
  /** Takes the mounts at `places` off, in this order. */
  | { readonly do: "detach"; readonly namespace: string; readonly places: readonly string[]; readonly lazy: boolean }
  /** Removes files and empty folders, in this order, as far as they go. */
  | { readonly do: "remove"; readonly namespace: string; readonly paths: readonly string[] };

export interface MountResult {
  /** What is made or was taken off, in order; `id` is the kernel's number, which a mount keeps when it gets a place. */
  readonly trees?: readonly { readonly tree: number; readonly id: number }[];
  /** What was made on the way to the mount point, the outermost first. */
  readonly made?: readonly string[];
}

export type MountAnswer = MountResult | { readonly failure: SyscallFailure } | { readonly error: string };

/** Answers requests, a line of JSON each, until the end of the input. Mounts that have no place then are gone. */
export function serveMounts(): void {
  let rest = "";
  const chunk = Buffer.alloc(65_536);
  const decoder = new TextDecoder();
  for (let length = 1; length > 0;) {
    length = readSync(0, chunk);
    const lines = (rest + decoder.decode(chunk.subarray(0, length), { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const answer = Buffer.from(`${JSON.stringify(answerTo(JSON.parse(line) as MountRequest))}\n`);
      for (let done = 0; done < answer.length;) done += writeSync(1, answer, done);
    }
  }
}

function answerTo(request: MountRequest): MountAnswer {
  try {
    return perform(request);
  } catch (error) {
    if (!(error instanceof SyscallError)) return { error: error instanceof Error ? error.message : String(error) };
    const { doing, call, args, errno } = error;
    return { failure: { doing, call, args, errno } };
  }
}

function perform(request: MountRequest): MountResult {
  switch (request.do) {
    case "clone":
      return { trees: [identified(clone(request))] };
    case "make":
      return { trees: [identified(newFileSystem(request.fileSystem))] };
    case "attach":
      return { made: inside(request.namespace, () => attach(request)) };
    case "detach":
      return { trees: inside(request.namespace, () => detach(request.places, request.lazy)).map(identified) };
    case "remove":
      inside(request.namespace, () => request.paths.forEach(removeEmpty));
      return {};
  }
}

function clone({ source, options, owners }: Extract<MountRequest, { do: "clone" }>): number {
  if (owners === undefined) return cloneMount(source, options);
  const fd = openPath(owners, 0);
  try {
    return cloneMount(source, { ...options, owners: { fd } });
  } finally {
    closeFd(fd);
  }
}

function identified(tree: number): { tree: number; id: number } {
  return { tree, id: mountIdOf(tree) };
}

/** Synchronous: nothing else runs meanwhile. */
function inside<T>(namespace: string, work: () => T): T {
  const doing = `cannot enter the mount namespace ${namespace}`;
  const [home, root, here, target] = [
    openPath("/proc/self/ns/mnt", 0),
    openPath("/", O_PATH),
    openPath(".", O_PATH),
    openPath(namespace, 0),
  ];
  try {
    enter(doing, target);
    try {
      return work();
    } finally {
      enter(doing, home);
      checked(doing, "home", "fchdir", root);
      checked(doing, "home", "chroot", cString("."));
      checked(doing, "home", "fchdir", here);
    }
  } finally {
    for (const fd of [home, root, here, target]) closeFd(fd);
  }
}

/**
 * The kernel moves nobody who shares root and working directory with another thread: and every thread that the runtime
 * starts from here does. Those that it starts meanwhile stay in the container, until this process ends.
 */
function enter(doing: string, namespace: number): void {
  for (let attempt = 1; ; attempt++) {
    checked(doing, "CLONE_FS", "unshare", CLONE_FS);
    const result = syscall("setns", namespace, CLONE_NEWNS);
    if (result >= 0) return;
    if (result !== -EINVAL || attempt === ATTEMPTS) {
      throw new SyscallError({ doing, call: "setns", args: "", errno: -result });
    }
  }
}

function attach({ tree, destination, sort, propagation, owner }: Extract<MountRequest, { do: "attach" }>): string[] {
  const doing = `cannot mount at ${destination}`;
  const made: string[] = [];
  try {
    const target = mountPoint(doing, destination, sort, (folder, name, path) => {
      made.push(path);
      if (owner === undefined) return;
      checked(doing, path, "fchownat", folder, cString(name), owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW);
    });
    try {
      const isFolder = sortOf(doing, destination) === "folder";
      // The kernel would only say that the argument is invalid.
      if (isFolder !== (sort === "folder")) {
        throw new SyscallError({ doing, call: "move_mount", args: destination, errno: isFolder ? EISDIR : ENOTDIR });
      }
      moveMount(doing, tree, target);
    } finally {
      closeFd(target);
    }
    // A place in a shared mount has made it shared as well.
    if (propagation !== undefined) setPropagation(tree, propagation);
    // While we held it, it would be in use.
    closeFd(tree);
    return made;
  } catch (error) {
    for (const path of made.toReversed()) removeEmpty(path);
    throw error;
  }
}

/** Opens `destination`, made first where it is not there: links lead nowhere but to places in the container. */
function mountPoint(
  doing: string,
  destination: string,
  sort: "folder" | "file",
  made: (folder: number, name: string, path: string) => void,
): number {
  const names = destination.split("/").filter((name) => name !== "");
  let at = open(doing, "/");
  let path = "";
  for (const [index, name] of names.entries()) {
    const isFile = sort === "file" && index === names.length - 1;
    const next = `${path}/${name}`;
    try {
      if (make(doing, at, name, next, isFile)) made(at, name, next);
      const opened = open(doing, next);
      closeFd(at);
      at = opened;
      path = next;
    } catch (error) {
      closeFd(at);
      throw error;
    }
  }
  return at;
}

/** False where it exists, whatever it is. */
function make(doing: string, folder: number, name: string, path: string, isFile: boolean): boolean {
  try {
    closeFd(open(doing, path));
    return false;
  } catch (error) {
    if (!hasErrno(error, ENOENT)) throw error;
  }
  try {
    if (isFile) closeFd(checked(doing, path, "openat", folder, cString(name), O_CREAT | O_EXCL | O_CLOEXEC, 0o755));
    else checked(doing, path, "mkdirat", folder, cString(name), 0o755);
    return true;
  } catch (error) {
    if (hasErrno(error, EEXIST)) return false;
    throw error;
  }
}

function sortOf(doing: string, path: string): "folder" | "file" {
  try {
    closeFd(open(doing, `${path}/`));
    return "folder";
  } catch (error) {
    if (hasErrno(error, ENOTDIR)) return "file";
    throw error;
  }
}

function open(doing: string, path: string): number {
  // struct open_how: flags, mode, resolve.
  const how = BigUint64Array.of(BigInt(O_PATH | O_CLOEXEC), 0n, BigInt(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS));
  const root = openPath("/", O_PATH);
  try {
    return checked(doing, path, "openat2", root, cString(path), how, how.byteLength);
  } finally {
    closeFd(root);
  }
}

/** All or none: what was taken off is put back where another one is in use. */
function detach(places: readonly string[], lazy: boolean): number[] {
  const trees: number[] = [];
  try {
    for (const place of places) {
      const doing = `cannot unmount ${place}`;
      const flags = OPEN_TREE_CLONE | O_CLOEXEC | (lazy ? AT_RECURSIVE : 0);
      const tree = checked(doing, place, "open_tree", AT_FDCWD, cString(place), flags);
      const result = syscall("umount2", cString(place), UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0));
      if (result < 0) {
        closeFd(tree);
        throw new SyscallError({ doing, call: "umount2", args: place, errno: -result });
      }
      trees.push(tree);
    }
    return trees;
  } catch (error) {
    for (const [index, tree] of [...trees.entries()].toReversed()) {
      moveMount("cannot put a mount back", tree, places[index] ?? "");
      closeFd(tree);
    }
    throw error;
  }
}

function removeEmpty(path: string): void {
  if (syscall("unlinkat", AT_FDCWD, cString(path), AT_REMOVEDIR) === -ENOTDIR) {
    syscall("unlinkat", AT_FDCWD, cString(path), 0);
  }
}

const ATTEMPTS = 20;
const CLONE_FS = 0x200;
const CLONE_NEWNS = 0x20000;
const RESOLVE_NO_MAGICLINKS = 2;
const RESOLVE_IN_ROOT = 0x10;
const OPEN_TREE_CLONE = 1;
const UMOUNT_NOFOLLOW = 8;
const MNT_DETACH = 2;
