/** Helper operations on backups of volumes: a tree becomes a sealed archive, and a sealed archive a tree. */
import { EngineError, errorMessage } from "#lib/errors.ts";
import { Sealer } from "#lib/seal.ts";
import { ArchiveWriter, type Moment, type OutgoingEntry } from "./archive-writer.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK, show } from "./helper-calls.ts";
import { hasChanged } from "./helper-copy.ts";
import { socketFd, SocketSink } from "./socket-sink.ts";
import { EPIPE, ENOENT } from "./syscall-error.ts";
import type { FullStat, VolumeCalls } from "./volume-calls.ts";
import { changedMeanwhile } from "./volume-tree.ts";

/** Names in the archive: what it is, the volume's tree, and how much that was. */
export const manifestName = "manifest.json";
export const treeName = "data";
export const summaryName = "summary.json";
/** Of a path in a volume: deeper trees exist, but no archive's reader can name what is in them. */
export const longestPath = 4095;

export interface BackupRequest {
  /** This process makes it its root. */
  readonly root: string;
  /** Text of the archive's first file. */
  readonly manifest: string;
  readonly level: number;
  readonly threads: number;
  /** The archive goes to a socket, through `SocketSink`. */
  readonly socket?: { readonly chunked: boolean };
}

/** Text of the archive's last file, as JSON. */
export interface BackupSummary {
  /** Of the tree, its root included. */
  readonly entries: number;
  /** Lengths of the regular files, each once. */
  readonly bytes: number;
  /** That were left out: sockets are their programs', and have no place in a tar. */
  readonly sockets: number;
}

/** Writes the archive to standard output or the socket. Where it fails, what was written ends with the reason. */
export function backUpTree(request: BackupRequest, calls: VolumeCalls): BackupSummary {
  using writer = new ArchiveWriter(request);
  const sealer = new Sealer();
  const socket = request.socket && new SocketSink(calls, socketFd, request.socket.chunked);
  const write = (bytes: Uint8Array): void => {
    if (socket !== undefined) return socket.put(bytes);
    const wrote = calls.writeBytes(1, bytes);
    if (wrote === -EPIPE) throw new EngineError("invalid", "nobody reads the backup any more");
    if (wrote < 0) throw calls.fail("write", "pipe", wrote);
  };
  const root = calls.enterRoot(request.root);
  writer.openSink((bytes) => {
    sealer.update(bytes);
    write(bytes);
  });
  try {
    writeText(writer, manifestName, request.manifest);
    const packing = new Packing(calls, writer);
    packing.root(calls.reopenQuietly(root));
    const { entries, bytes, sockets } = packing;
    const summary: BackupSummary = { entries, bytes, sockets };
    writeText(writer, summaryName, `${JSON.stringify(summary)}\n`);
    writer.close();
    write(sealer.seal());
    socket?.flush();
    return summary;
  } catch (error) {
    writer.abandon();
    write(sealer.cut(errorMessage(error)));
    socket?.flush();
    throw error;
  }
}

function writeText(writer: ArchiveWriter, path: string, text: string): void {
  const content = Buffer.from(text);
  const seconds = Math.floor(Date.now() / 1000);
  writer.header({ path, mode: S_IFREG | 0o644, uid: 0, gid: 0, size: content.length, seconds });
  writer.data(content);
}

class Packing {
  entries = 0;
  bytes = 0;
  sockets = 0;
  readonly #calls: VolumeCalls;
  readonly #writer: ArchiveWriter;
  /** Where the first name of each file with several went. */
  readonly #links = new Map<string, string>();
  readonly #buffer = Buffer.alloc(256 * 1024);

  constructor(calls: VolumeCalls, writer: ArchiveWriter) {
    this.#calls = calls;
    this.#writer = writer;
  }

  root(dir: number): void {
    const stat = this.#calls.fullStat(dir, "");
    if (stat === undefined) throw this.#calls.fail("statx", "/", -ENOENT);
    this.#header({ ...describe(treeName, stat), attributes: this.#calls.allAttributes(dir, "") });
    this.#children(dir, treeName);
  }

  #children(dir: number, above: string): void {
    for (const { name } of this.#calls.list(dir)) this.#entry(dir, name, `${above}/${name}`);
  }

  /** What vanishes meanwhile is left out. */
  #entry(dir: number, name: string, path: string): void {
    const stat = this.#calls.fullStat(dir, name);
    if (stat === undefined) return;
    if (path.length > longestPath) {
      throw new EngineError("invalid", `file name too long for an archive: ${show(path.slice(0, 64))}…`);
    }
    const type = stat.mode & S_IFMT;
    if (type === S_IFSOCK) {
      this.sockets++;
      return;
    }
    const first = this.#links.get(stat.identity);
    const entry = describe(path, stat);
    if (first !== undefined) {
      this.#header({ ...entry, size: 0, hardlink: first });
      return;
    }
    const whole = { ...entry, attributes: this.#calls.allAttributes(dir, name) };
    if (type === S_IFREG) {
      if (!this.#file(dir, name, whole, stat)) return;
    } else if (type === S_IFDIR) {
      this.#directory(dir, name, whole);
    } else if (type === S_IFLNK) {
      this.#header({ ...whole, symlink: this.#calls.readLink(dir, name) });
    } else {
      this.#header({ ...whole, major: stat.major, minor: stat.minor });
    }
    if (stat.nlink > 1 && type !== S_IFDIR) this.#links.set(stat.identity, path);
  }

  #directory(dir: number, name: string, entry: OutgoingEntry): void {
    const fd = this.#calls.openFolderQuietly(dir, name);
    if (fd === -ENOENT) return;
    if (fd < 0) throw this.#calls.fail("openat", entry.path, fd);
    this.#header(entry);
    this.#children(fd, entry.path);
    this.#calls.close(fd);
  }

  #file(dir: number, name: string, entry: OutgoingEntry, stat: FullStat): boolean {
    const fd = this.#calls.openQuietly(dir, name);
    if (fd === -ENOENT) return false;
    if (fd < 0) throw this.#calls.fail("openat", entry.path, fd);
    try {
      const regions = this.#calls.regions(fd, stat, entry.path);
      // A list without an entry would say that there are no holes.
      this.#header(regions === undefined ? entry : { ...entry, regions: regions.length > 0 ? regions : nothing });
      let at = 0;
      for (const { offset, size } of regions ?? [{ offset: 0, size: stat.size }]) {
        if (offset > at) this.#writer.skip(offset - at);
        this.#content(fd, offset, size, entry.path);
        at = offset + size;
      }
      if (stat.size > at) this.#writer.skip(stat.size - at);
      if (hasChanged(this.#calls.fullStat(fd, ""), stat)) throw changedMeanwhile(inVolume(entry.path));
    } finally {
      this.#calls.close(fd);
    }
    this.bytes += stat.size;
    return true;
  }

  #content(fd: number, offset: number, size: number, path: string): void {
    const moved = this.#calls.seek(fd, offset);
    if (moved < 0) throw this.#calls.fail("lseek", path, moved);
    for (let left = size; left > 0;) {
      const read = this.#calls.read(fd, this.#buffer.subarray(0, Math.min(left, this.#buffer.length)));
      if (read < 0) throw this.#calls.fail("read", path, read);
      if (read === 0) throw changedMeanwhile(inVolume(path));
      this.#writer.data(this.#buffer.subarray(0, read));
      left -= read;
    }
  }

  #header(entry: OutgoingEntry): void {
    this.#writer.header(entry);
    this.entries++;
  }
}

/** For a file that is one hole. */
const nothing = [{ offset: 0, size: 0 }];

function describe(path: string, stat: FullStat): OutgoingEntry {
  return {
    path,
    mode: stat.mode,
    uid: stat.uid,
    gid: stat.gid,
    size: (stat.mode & S_IFMT) === S_IFREG ? stat.size : 0,
    ...written(stat.modified),
    accessed: written(stat.accessed),
  };
}

/** A time before 1970 as a tar has it, by its distance from there: -1.25 s, where the kernel counts -2 and 0.75. */
function written(moment: Moment): Moment {
  if (moment.seconds >= 0 || moment.nanoseconds === 0) return moment;
  return { seconds: moment.seconds + 1, nanoseconds: 1_000_000_000 - moment.nanoseconds };
}

function inVolume(path: string): string {
  return path.slice(treeName.length + 1);
}
