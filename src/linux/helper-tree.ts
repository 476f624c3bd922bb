/** Writes the entries of an untrusted archive below a root: few calls per file, and no name that leads anywhere else. */
import { constants } from "node:fs";
import { EngineError } from "#lib/errors.ts";
import { S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, show, type TreeCalls } from "./helper-calls.ts";
import { O_CREAT, O_EXCL, type SyscallName } from "./libc.ts";
import { EEXIST, ELOOP, ENOENT, ENOTDIR, EOPNOTSUPP, EPERM } from "./syscall-error.ts";

/** Open directories kept at hand: archives go through a tree folder by folder. */
const cachedDirectories = 64;

const opaqueValue = Buffer.from("y");

/** What describes an entry of any type. All strings are latin1 and stand for bytes. */
export interface Attributes {
  readonly uid: number;
  readonly gid: number;
  /** Permission bits with set-user-id, set-group-id and sticky. */
  readonly permissions: number;
  readonly seconds: number;
  readonly nanoseconds: number;
  attributes(each: (name: string, value: number, size: number) => void): void;
}

export interface TreeOptions {
  /** Replacing a directory by something else, or the reverse, is refused. */
  readonly keepDirectories: boolean;
  /** An entry for a directory leaves a symbolic link to one where it is (`bin` → `usr/bin`) and describes its target. */
  readonly keepDirectoryLinks: boolean;
}

/**
 * Paths are relative, clean (no `.`, `..`, empty parts) and shorter than PATH_MAX.
 *
 * Symbolic links in the way to an entry are followed inside the root, as if it were `/` (a layer may hold `lib` →
 * `usr/lib` and `lib/x`); a link that takes the place of a directory of the same archive is refused. An entry replaces
 * what has its name. `finish` sets the times of directories, which later entries would have changed.
 */
export class TreeWriter {
  readonly #calls: TreeCalls;
  readonly #root: number;
  readonly #options: TreeOptions;
  readonly #open = new Map<string, number>();
  readonly #directories = new Map<string, { seconds: number; nanoseconds: number }>();
  readonly #implied = new Set<string>([""]);

  constructor(calls: TreeCalls, root: number, options: TreeOptions) {
    this.#calls = calls;
    this.#root = root;
    this.#options = options;
  }

  /** Directories that no entry describes, made for entries below them (and the root, ""), parents first. */
  get impliedDirectories(): string[] {
    return [...this.#implied];
  }

  directory(path: string, a: Attributes): void {
    if (path !== "") this.#makeDirectory(path, a);
    const fd = this.#need(path, a);
    this.#implied.delete(path);
    this.#directories.set(path, { seconds: a.seconds, nanoseconds: a.nanoseconds });
    this.#must("fchown", path, this.#calls.chown(fd, a.uid, a.gid));
    a.attributes((name, value, size) => this.#attribute(path, name, this.#calls.setAttribute(fd, name, value, size)));
    this.#must("fchmod", path, this.#calls.chmod(fd, a.permissions));
  }

  /** Calls `fill` with the descriptor of the new file. */
  file(path: string, a: Attributes, fill: (fd: number) => void): void {
    const flags = constants.O_WRONLY | O_CREAT | O_EXCL;
    // Its owner's alone until it has its owner, where that is not who creates it.
    const { uid, gid, permissions } = a;
    const mode = uid === 0 && gid === 0 ? permissions & 0o777 : 0o600;
    const fd = this.#make("openat", path, a, false, (dir, base) => this.#calls.open(dir, base, flags, mode));
    try {
      fill(fd);
      // In this order: writing and chown take capabilities and set-user-id away.
      let asWanted = this.#calls.isAs(fd, uid, gid, permissions);
      if (!asWanted) this.#must("fchown", path, this.#calls.chown(fd, uid, gid));
      a.attributes((name, value, size) => {
        this.#attribute(path, name, this.#calls.setAttribute(fd, name, value, size));
        asWanted = false; // an access list has permissions of its own
      });
      if (!asWanted) this.#must("fchmod", path, this.#calls.chmod(fd, permissions));
      this.#must("utimensat", path, this.#calls.setTime(fd, a.seconds, a.nanoseconds));
    } finally {
      this.#calls.close(fd);
    }
  }

  symlink(path: string, target: string, a: Attributes): void {
    this.#make("symlinkat", path, a, true, (dir, base) => this.#calls.makeSymlink(target, dir, base));
    this.#describe(path, a);
  }

  /** Devices and named pipes; `type` is S_IFCHR and so on, `device` as the kernel packs it (dev_t). */
  node(path: string, type: number, device: bigint, a: Attributes): void {
    const mode = type | a.permissions;
    this.#make("mknodat", path, a, false, (dir, base) => this.#calls.makeNode(dir, base, mode, Number(device)));
    this.#describe(path, a);
  }

  /** `target` is a path like any other; links in its parents are followed inside the root. */
  hardlink(path: string, target: string, a: Attributes): void {
    if (target === path) return; // a file that the archive repeats
    const dir = this.#find(parentOf(target));
    const found = dir < 0 ? undefined : this.#calls.stat(dir, baseOf(target));
    if (found === undefined || (found.mode & S_IFMT) === S_IFDIR) {
      const why = found === undefined ? "there is no such file" : "that is a directory";
      throw new EngineError("invalid", `invalid hard link ${show(path)} to ${show(target)}: ${why}`);
    }
    // The way to `path` may have closed `dir`.
    this.#make("linkat", path, a, false, (into, base) =>
      this.#calls.link(this.#find(parentOf(target)), baseOf(target), into, base),
    );
  }

  /** Hides `path` of the layers below. What the same archive has under that name stays, and a directory becomes opaque. */
  whiteout(path: string, a: Attributes): void {
    const dir = this.#need(parentOf(path), a);
    const made = this.#calls.makeNode(dir, baseOf(path), S_IFCHR, 0);
    if (made !== -EEXIST) this.#must("mknodat", path, made);
    else if (this.#typeAt(dir, baseOf(path)) === S_IFDIR) this.opaque(path, a);
  }

  /** Hides everything that the layers below have in directory `path`. */
  opaque(path: string, a: Attributes): void {
    const fd = this.#need(path, a);
    this.#must("fsetxattr", path, this.#calls.setAttribute(fd, "trusted.overlay.opaque", opaqueValue, 1));
  }

  finish(): void {
    for (const [path, time] of this.#directories) {
      this.#trim();
      const fd = this.#find(path);
      if (fd < 0) continue; // a later entry replaced it
      this.#must("utimensat", path, this.#calls.setTime(fd, time.seconds, time.nanoseconds));
    }
    this.#forget();
  }

  /** Runs `make` in the parent of `path`; where something is in the way, once more after its removal. */
  #make(
    call: SyscallName,
    path: string,
    a: Attributes,
    isSymlink: boolean,
    make: (dir: number, base: string) => number,
  ): number {
    const base = baseOf(path);
    let made = make(this.#need(parentOf(path), a), base);
    if (made === -EEXIST) {
      this.#clear(path, isSymlink);
      made = make(this.#need(parentOf(path), a), base);
    }
    return this.#must(call, path, made);
  }

  #clear(path: string, forSymlink: boolean): void {
    const dir = this.#find(parentOf(path));
    const base = baseOf(path);
    if (this.#typeAt(dir, base) !== S_IFDIR) {
      this.#must("unlinkat", path, this.#calls.unlink(dir, base));
      this.#forget(); // it may have been a link on the way to directories now open
      return;
    }
    if (this.#options.keepDirectories) {
      const name = JSON.stringify(show(path));
      throw new EngineError("invalid", `cannot overwrite directory ${name} with non-directory ${name}`);
    }
    if (forSymlink && this.#directories.has(path)) {
      throw new EngineError("invalid", `invalid archive: it replaces its directory ${show(path)} by a symbolic link`);
    }
    this.#calls.removeTree(dir, base);
    this.#forget();
  }

  #makeDirectory(path: string, a: Attributes): void {
    const dir = this.#need(parentOf(path), a);
    const base = baseOf(path);
    const made = this.#calls.makeDirectory(dir, base, 0o700);
    if (made !== -EEXIST) {
      this.#must("mkdirat", path, made);
      return;
    }
    const there = this.#calls.stat(dir, base);
    if (there === undefined || (there.mode & S_IFMT) === S_IFDIR) return;
    if (this.#options.keepDirectoryLinks && (there.mode & S_IFMT) === S_IFLNK && this.#find(path) >= 0) return;
    if (this.#options.keepDirectories) {
      const name = JSON.stringify(show(path));
      throw new EngineError("invalid", `cannot overwrite non-directory ${name} with directory ${name}`);
    }
    this.#must("unlinkat", path, this.#calls.unlink(dir, base));
    this.#must("mkdirat", path, this.#calls.makeDirectory(dir, base, 0o700));
    this.#forget();
    const wasWhiteout = (there.mode & S_IFMT) === S_IFCHR && there.major === 0 && there.minor === 0;
    if (wasWhiteout) this.opaque(path, a);
  }

  #describe(path: string, a: Attributes): void {
    const dir = this.#find(parentOf(path));
    const base = baseOf(path);
    this.#must("fchownat", path, this.#calls.chownAt(dir, base, a.uid, a.gid));
    a.attributes((name, value, size) =>
      this.#attribute(path, name, this.#calls.setAttributeAt(dir, base, name, value, size)),
    );
    this.#must("utimensat", path, this.#calls.setTimeAt(dir, base, a.seconds, a.nanoseconds));
  }

  /** A file system without extended attributes of that class is not an error, as for Docker. */
  #attribute(path: string, name: string, result: number): void {
    if (result === -EOPNOTSUPP || (result === -EPERM && name.startsWith("user."))) return;
    this.#must("fsetxattr", `${path} ${name}`, result);
  }

  #typeAt(dir: number, base: string): number {
    return (this.#calls.stat(dir, base)?.mode ?? 0) & S_IFMT;
  }

  /** The directory, open; what is missing of it is made. */
  #need(path: string, a: Attributes): number {
    this.#trim();
    const fd = this.#find(path);
    if (fd >= 0) return fd;
    if (fd === -ENOTDIR) throw new EngineError("invalid", `invalid archive: ${show(path)} is not a directory`);
    if (fd === -ELOOP) throw new EngineError("invalid", `invalid archive: too many symbolic links in ${show(path)}`);
    if (fd !== -ENOENT) throw this.#calls.fail("openat2", path, fd);
    const made = this.#calls.makeDirectory(this.#need(parentOf(path), a), baseOf(path), 0o755);
    if (made === -EEXIST) {
      throw new EngineError("invalid", `invalid archive: symbolic link ${show(path)} leads out of the archive`);
    }
    this.#must("mkdirat", path, made);
    this.#implied.add(path);
    this.#directories.set(path, { seconds: a.seconds, nanoseconds: a.nanoseconds });
    return this.#must("openat2", path, this.#find(path));
  }

  /** The directory, open, or the negated errno. It stays open to the end of the entry at least. */
  #find(path: string): number {
    if (path === "") return this.#root;
    const cached = this.#open.get(path);
    if (cached !== undefined) return cached;
    const fd = this.#calls.openInRoot(this.#root, path);
    if (fd >= 0) this.#open.set(path, fd);
    return fd;
  }

  #trim(): void {
    if (this.#open.size > cachedDirectories) this.#forget();
  }

  #forget(): void {
    for (const fd of this.#open.values()) this.#calls.close(fd);
    this.#open.clear();
  }

  #must(call: SyscallName, path: string, result: number): number {
    if (result < 0) throw this.#calls.fail(call, path, result);
    return result;
  }
}

export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

export function baseOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
