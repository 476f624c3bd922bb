/** Helper operation: copies a volume's tree with everything that is in it, sharing blocks where the file system can. */
import { deviceNumber } from "./descriptor.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "./helper-calls.ts";
import { constants } from "node:fs";
import { AT_FDCWD } from "./libc.ts";
import { EINVAL, ENOENT, ENOSYS, ENOTTY, EOPNOTSUPP, EXDEV } from "./syscall-error.ts";
import type { FullStat, VolumeCalls } from "./volume-calls.ts";
import { changedMeanwhile, type Description, NewTree } from "./volume-tree.ts";

export interface CopyTreeRequest {
  /** This process makes it its root. */
  readonly source: string;
  /** An empty folder. */
  readonly target: string;
}

export interface CopyTreeResult {
  readonly entries: number;
  /** Lengths of the regular files, each once. */
  readonly bytes: number;
}

/** The largest piece that is copied by one call, so that a signal is heard. */
const piece = 2 ** 30;

/** Writes it to the disk as well. */
export function copyTree(request: CopyTreeRequest, calls: VolumeCalls): CopyTreeResult {
  const target = calls.open(AT_FDCWD, request.target, constants.O_RDONLY | constants.O_DIRECTORY);
  if (target < 0) throw calls.fail("openat", request.target, target);
  const source = calls.enterRoot(request.source);
  const copying = new Copying(calls, target);
  copying.root(calls.reopenQuietly(source), target);
  calls.sync(target);
  const { entries, bytes } = copying;
  return { entries, bytes };
}

class Copying {
  entries = 0;
  bytes = 0;
  readonly #calls: VolumeCalls;
  readonly #tree: NewTree;
  /** Where the first name of each file with several went. */
  readonly #links = new Map<string, string>();
  readonly #buffer = Buffer.alloc(256 * 1024);
  #clones = true;
  #copiesInside = true;

  constructor(calls: VolumeCalls, target: number) {
    this.#calls = calls;
    this.#tree = new NewTree(calls, target);
  }

  root(from: number, to: number): void {
    const stat = this.#calls.fullStat(from, "");
    if (stat === undefined) throw this.#calls.fail("statx", "/", -ENOENT);
    const description = this.#describe(from, "", stat);
    this.entries++;
    this.#children(from, to, "");
    this.#tree.describeDirectory(to, description, "/");
  }

  #children(from: number, to: number, above: string): void {
    for (const { name } of this.#calls.list(from))
      this.#entry(from, to, name, above === "" ? name : `${above}/${name}`);
  }

  /** What vanished meanwhile is left out. */
  #entry(from: number, to: number, name: string, path: string): void {
    const stat = this.#calls.fullStat(from, name);
    if (stat === undefined) return;
    const type = stat.mode & S_IFMT;
    const first = this.#links.get(stat.identity);
    if (first !== undefined) {
      this.#tree.link(to, name, first, path);
      this.entries++;
      return;
    }
    const description = this.#describe(from, name, stat);
    if (type === S_IFDIR) {
      if (!this.#directory(from, to, name, path, description)) return;
    } else if (type === S_IFREG) {
      if (!this.#file(from, to, name, path, stat, description)) return;
    } else if (type === S_IFLNK) {
      this.#tree.symlink(to, name, this.#calls.readLink(from, name), description, path);
    } else {
      this.#tree.node(to, name, type, deviceNumber(stat.major, stat.minor), description, path);
    }
    if (stat.nlink > 1 && type !== S_IFDIR) this.#links.set(stat.identity, path);
    this.entries++;
  }

  #directory(from: number, to: number, name: string, path: string, description: Description): boolean {
    const source = this.#calls.openFolderQuietly(from, name);
    if (source === -ENOENT) return false;
    if (source < 0) throw this.#calls.fail("openat", path, source);
    const target = this.#tree.directory(to, name, path);
    this.#children(source, target, path);
    this.#tree.describeDirectory(target, description, path);
    this.#calls.close(target);
    this.#calls.close(source);
    return true;
  }

  #file(from: number, to: number, name: string, path: string, stat: FullStat, description: Description): boolean {
    const source = this.#calls.openQuietly(from, name);
    if (source === -ENOENT) return false;
    if (source < 0) throw this.#calls.fail("openat", path, source);
    try {
      this.#tree.file(to, name, description, path, (target) => this.#fill(source, target, stat, path));
      if (hasChanged(this.#calls.fullStat(source, ""), stat)) throw changedMeanwhile(path);
    } finally {
      this.#calls.close(source);
    }
    this.bytes += stat.size;
    return true;
  }

  #fill(from: number, to: number, stat: FullStat, path: string): void {
    if (stat.size === 0) return;
    if (this.#clones) {
      const cloned = this.#calls.clone(from, to);
      if (cloned === 0) return;
      // Other refusals are about this file.
      this.#clones = ![-EOPNOTSUPP, -EXDEV, -ENOTTY].includes(cloned);
    }
    const regions = this.#calls.regions(from, stat, path) ?? [{ offset: 0, size: stat.size }];
    for (const { offset, size } of regions) this.#copy(from, to, offset, size, path);
    const sized = this.#calls.truncate(to, stat.size);
    if (sized < 0) throw this.#calls.fail("ftruncate", path, sized);
  }

  #copy(from: number, to: number, offset: number, size: number, path: string): void {
    for (let done = 0; done < size;) {
      const copied = this.#copySome(from, to, offset + done, Math.min(size - done, piece), path);
      if (copied === 0) throw changedMeanwhile(path);
      done += copied;
    }
  }

  #copySome(from: number, to: number, offset: number, size: number, path: string): number {
    if (this.#copiesInside) {
      const copied = this.#calls.copyRange(from, to, offset, size);
      if (copied >= 0) return copied;
      if (![-EXDEV, -EINVAL, -EOPNOTSUPP, -ENOSYS].includes(copied)) {
        throw this.#calls.fail("copy_file_range", path, copied);
      }
      this.#copiesInside = false;
    }
    const chunk = this.#buffer.subarray(0, Math.min(size, this.#buffer.length));
    const moved = this.#calls.seek(from, offset);
    const read = moved < 0 ? moved : this.#calls.read(from, chunk);
    if (read < 0) throw this.#calls.fail("read", path, read);
    const wrote = this.#calls.writeBytes(to, chunk.subarray(0, read), offset);
    if (wrote < 0) throw this.#calls.fail("write", path, wrote);
    return read;
  }

  #describe(dir: number, name: string, stat: FullStat): Description {
    const { uid, gid, accessed, modified } = stat;
    return {
      uid,
      gid,
      permissions: stat.mode & ~S_IFMT,
      accessed,
      modified,
      attributes: this.#calls.allAttributes(dir, name),
    };
  }
}

/** Whether a file, open now, may have another content than when it was looked at by its name. */
export function hasChanged(now: FullStat | undefined, before: FullStat): boolean {
  return (
    now === undefined ||
    now.identity !== before.identity ||
    now.size !== before.size ||
    now.seconds !== before.seconds ||
    now.nanoseconds !== before.nanoseconds
  );
}
