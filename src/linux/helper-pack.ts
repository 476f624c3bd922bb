/** The helper's side of outgoing archives: walks a tree that is not to be trusted and writes it as tar. */
import { ArchiveWriter, type OutgoingEntry } from "./archive-writer.ts";
import {
  type Attribute,
  S_IFCHR,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  type Stat,
  type TreeCalls,
} from "./helper-calls.ts";
import { baseOf, parentOf } from "./helper-tree.ts";
import type { IdMap } from "./id-map.ts";
import { isMadeUp } from "./made-up.ts";
import { socketFd, SocketSink } from "./socket-sink.ts";
import { ENOENT } from "./syscall-error.ts";

export interface PackTreeRequest {
  readonly root: string;
  /** Clean path inside `root`, "" for itself: then the archive has the entries below it, but not itself. */
  readonly path: string;
  readonly mode: "layer" | "plain";
  /** Name that the entry of `path` gets; "" for its own. "/" makes all names begin with it, the first has no other. */
  readonly rename: string;
  /** For `TreeCalls`. */
  readonly ids?: IdMap;
  /** The archive goes to a socket, through `SocketSink`. */
  readonly socket?: { readonly chunked: boolean };
}

/** Of files from this size on, content goes to a socket without libarchive. */
const largeFile = 64 * 1024;
const tarBlock = 512;

/** Writes `path` of `root`, which becomes the root of this process first, to standard output or the socket. */
export function packTree(request: PackTreeRequest, calls: TreeCalls): object {
  using writer = new ArchiveWriter();
  const root = calls.enterRoot(request.root);
  const sink = request.socket && new SocketSink(calls, socketFd, request.socket.chunked);
  const packing = new Packing(calls, writer, request.mode === "layer", sink);
  const base = baseOf(request.path);
  const parent = calls.openInRoot(root, parentOf(request.path));
  if (parent < 0) throw calls.fail("openat2", `/${request.path}`, parent);
  if (calls.stat(parent, base) === undefined) throw calls.fail("statx", `/${request.path}`, -ENOENT);
  if (sink === undefined) writer.open(1);
  else writer.openSink((bytes) => sink.put(bytes), { unblocked: true });
  if (base === "" && request.rename === "") packing.children(root, "");
  else packing.entry(parent, base, request.rename === "" ? base : request.rename, true);
  writer.close();
  sink?.flush();
  return {};
}

class Packing {
  readonly #calls: TreeCalls;
  readonly #writer: ArchiveWriter;
  readonly #layer: boolean;
  readonly #sink: SocketSink | undefined;
  /** Where the first name of each file with several went. */
  readonly #links = new Map<string, string>();
  readonly #buffer = Buffer.alloc(256 * 1024);
  /** What was asked for lies in a file system that the kernel makes up. */
  #inMadeUp = false;

  constructor(calls: TreeCalls, writer: ArchiveWriter, layer: boolean, sink: SocketSink | undefined) {
    this.#calls = calls;
    this.#writer = writer;
    this.#layer = layer;
    this.#sink = sink;
  }

  children(dir: number, path: string): void {
    const above = path === "" || path === "/" ? path : `${path}/`;
    for (const { name } of this.#calls.list(dir)) this.entry(dir, name, above + name);
  }

  /**
   * `base` in `dir`, as `path`. What vanishes meanwhile is left out; sockets have no place in a tar. Of file systems
   * that the kernel makes up there is only the mount point, unless one was `asked` for by name.
   */
  entry(dir: number, base: string, path: string, asked = false): void {
    const stat = this.#calls.stat(dir, base);
    if (stat === undefined) return;
    const type = stat.mode & S_IFMT;
    if (type === S_IFSOCK) return;
    if (this.#layer && type === S_IFCHR && stat.major === 0 && stat.minor === 0) {
      this.#marker(path.slice(0, path.length - base.length) + `.wh.${base}`, stat);
      return;
    }
    const all = this.#calls.attributesAt(dir, base === "" ? "." : base);
    const entry = { ...describe(path, stat), attributes: all.filter(isPortable) };
    const first = this.#links.get(stat.identity);
    if (first !== undefined) {
      this.#writer.header({ ...entry, attributes: [], size: 0, hardlink: first });
      return;
    }
    if (stat.nlink > 1 && type !== S_IFDIR) this.#links.set(stat.identity, path);
    if (type === S_IFREG) this.#file(dir, base, entry);
    else if (type === S_IFDIR) this.#directory(dir, base, entry, all, asked);
    else if (type === S_IFLNK) this.#writer.header({ ...entry, symlink: this.#calls.readLink(dir, base) });
    else this.#writer.header({ ...entry, major: stat.major, minor: stat.minor });
  }

  #file(dir: number, base: string, entry: OutgoingEntry): void {
    const fd = this.#calls.openFile(dir, base);
    if (fd === -ENOENT) return;
    if (fd < 0) throw this.#calls.fail("openat", entry.path, fd);
    try {
      if (this.#sink !== undefined && entry.size >= largeFile) {
        this.#writer.headerAlone(entry);
        this.#sink.putFile(fd, entry.size, entry.path);
        this.#sink.put(Buffer.alloc(-entry.size & (tarBlock - 1)));
        return;
      }
      this.#writer.header(entry);
      for (let left = entry.size; left > 0;) {
        const size = this.#calls.read(fd, this.#buffer);
        if (size < 0) throw this.#calls.fail("read", entry.path, size);
        if (size === 0) break;
        this.#writer.data(this.#buffer.subarray(0, size));
        left -= size;
      }
    } finally {
      this.#calls.close(fd);
    }
  }

  #directory(dir: number, base: string, entry: OutgoingEntry, all: readonly Attribute[], asked: boolean): void {
    const fd = this.#calls.openDirectory(dir, base === "" ? "." : base);
    if (fd === -ENOENT) return;
    if (fd < 0) throw this.#calls.fail("openat", entry.path, fd);
    try {
      this.#writer.header(entry);
      if (!this.#layer && !this.#inMadeUp && isMadeUp(fd)) {
        if (!asked) return;
        this.#inMadeUp = true;
      }
      const opaque = all.some((a) => a.name === "trusted.overlay.opaque" && a.value[0] === 0x79 /* y */);
      if (this.#layer && opaque) this.#marker(`${entry.path}/.wh..wh..opq`, entry);
      this.children(fd, entry.path);
    } finally {
      this.#calls.close(fd);
    }
  }

  /** OCI image-spec, "Whiteouts": an empty file with a telling name. */
  #marker(path: string, like: { readonly seconds: number }): void {
    this.#writer.header({ path, mode: S_IFREG, uid: 0, gid: 0, size: 0, seconds: like.seconds });
  }
}

function describe(path: string, stat: Stat): OutgoingEntry {
  const size = (stat.mode & S_IFMT) === S_IFREG ? stat.size : 0;
  return { path, mode: stat.mode, uid: stat.uid, gid: stat.gid, size, seconds: stat.seconds };
}

/** Overlayfs' bookkeeping and the host's labels mean nothing elsewhere; ACLs have no agreed form in layers. */
function isPortable({ name }: Attribute): boolean {
  return !/^((trusted|user)\.overlay|system)\./.test(name) && name !== "security.selinux";
}
