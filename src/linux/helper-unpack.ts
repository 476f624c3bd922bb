/** The helper's side of incoming archives: one process takes the compression off and hashes, another writes the tree. */
import { toArrayBuffer } from "bun:ffi";
import { EngineError } from "#lib/errors.ts";
import type { BodyPosition } from "#lib/http/decoder.ts";
import { ArchiveReader } from "./archive.ts";
import type { TreeCalls } from "./helper-calls.ts";
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, show } from "./helper-calls.ts";
import { type Attributes, baseOf, parentOf, TreeWriter } from "./helper-tree.ts";
import type { IdMap } from "./id-map.ts";
import { LentReader } from "./lent-reader.ts";
import { EPIPE } from "./syscall-error.ts";

const pathMax = 4095;
const whiteoutPrefix = ".wh.";
const opaqueMarker = ".wh..wh..opq";

export interface DecompressRequest {
  readonly algorithm: "sha256" | "sha512";
  readonly maxBytes: number;
}

export interface DecompressResult {
  /** Of the whole uncompressed stream; absent where the reader stopped early. */
  readonly digest?: string;
}

/** Copies standard input to standard output without its compression. */
export function decompress(request: DecompressRequest, calls: TreeCalls): DecompressResult {
  using reader = new ArchiveReader("decompressed");
  reader.open(0);
  const hash = new Bun.CryptoHasher(request.algorithm);
  let bytes = 0;
  if (reader.next()) {
    for (let block = reader.block(); block !== undefined; block = reader.block()) {
      if (block.size === 0) continue;
      bytes += block.size;
      if (bytes > request.maxBytes) throw tooMuch(`${request.maxBytes} bytes uncompressed`);
      const wrote = calls.write(1, block.address, block.size);
      if (wrote === -EPIPE) return {};
      if (wrote < 0) throw calls.fail("write", "pipe", wrote);
      hash.update(new Uint8Array(toArrayBuffer(block.address, 0, block.size)));
    }
  }
  return { digest: `${request.algorithm}:${hash.digest("hex")}` };
}

export interface UnpackTreeRequest {
  readonly target: string;
  readonly mode: "layer" | "plain";
  /** Clean path inside `target`, "" for itself. */
  readonly directory: string;
  readonly maxBytes: number;
  readonly maxEntries: number;
  readonly owner: { readonly uid: number; readonly gid: number } | null;
  readonly keepDirectories: boolean;
  readonly keepDirectoryLinks: boolean;
  readonly concatenated: boolean;
  /** For `TreeCalls`. */
  readonly ids?: IdMap;
  /** The archive comes from a socket, through `LentReader`. */
  readonly lent?: BodyPosition;
}

export interface UnpackTreeResult {
  readonly bytes: number;
  readonly entries: number;
  readonly impliedDirectories: readonly string[];
}

export interface UnpackTreeOutcome extends UnpackTreeResult {
  /** What was read of the socket beyond the body, base64. */
  readonly rest?: string;
}

/** Writes the tar on standard input below `target`, which becomes the root of this process first. */
export function unpackTree(request: UnpackTreeRequest, calls: TreeCalls): UnpackTreeOutcome {
  using reader = new ArchiveReader("tar");
  const body = request.lent && new LentReader(calls, request.lent);
  const root = calls.enterRoot(request.target);
  if (request.directory !== "") {
    const found = calls.openInRoot(root, request.directory);
    if (found < 0) throw calls.fail("openat2", `/${request.directory}`, found);
    calls.close(found);
  }
  const unpacking = new Unpacking(reader, calls, new TreeWriter(calls, root, request), request);
  if (request.concatenated) reader.readConcatenated();
  if (body === undefined) reader.open(0);
  else reader.openSource(() => body.read());
  while (reader.next()) unpacking.entry();
  unpacking.tree.finish();
  const { bytes, entries, tree } = unpacking;
  const result = { bytes, entries, impliedDirectories: tree.impliedDirectories };
  if (body !== undefined) {
    while (body.read() !== undefined);
    return { ...result, rest: Buffer.from(body.rest).toString("base64") };
  }
  // What follows the end mark belongs to the stream whose digest is being computed at the other end of the pipe.
  const rest = new Uint8Array(256 * 1024);
  while (calls.read(0, rest) > 0);
  return result;
}

class Unpacking {
  bytes = 0;
  entries = 0;
  readonly tree: TreeWriter;
  readonly #reader: ArchiveReader;
  readonly #calls: TreeCalls;
  readonly #request: UnpackTreeRequest;

  constructor(reader: ArchiveReader, calls: TreeCalls, tree: TreeWriter, request: UnpackTreeRequest) {
    this.#reader = reader;
    this.#calls = calls;
    this.tree = tree;
    this.#request = request;
  }

  entry(): void {
    if (++this.entries > this.#request.maxEntries) throw tooMuch(`${this.#request.maxEntries} entries`);
    const reader = this.#reader;
    const name = cleanPath(reader.pathname);
    // The root of a layer is the image's; the directory that one copies into keeps its own attributes.
    if (name === "" && (this.#request.mode === "plain" || reader.type !== S_IFDIR)) return;
    const path = this.#place(name);
    const attributes = this.#attributes();
    if (this.#request.mode === "layer" && baseOf(name).startsWith(whiteoutPrefix)) {
      this.#whiteout(path, attributes);
      return;
    }
    const target = reader.hardlink;
    if (target !== undefined) {
      this.tree.hardlink(path, this.#place(cleanPath(target)), attributes);
      return;
    }
    switch (reader.type) {
      case S_IFREG:
        this.tree.file(path, attributes, (fd) => this.#fill(fd, path));
        return;
      case S_IFDIR:
        this.tree.directory(path, attributes);
        return;
      case S_IFLNK:
        this.tree.symlink(path, reader.symlink, attributes);
        return;
      case S_IFCHR:
      case S_IFBLK:
      case S_IFIFO:
        this.tree.node(path, reader.type, reader.device, attributes);
        return;
      default:
        throw new EngineError("invalid", `invalid archive: ${show(path)} is of an unknown type`);
    }
  }

  #place(name: string): string {
    const { directory } = this.#request;
    const path = directory === "" ? name : name === "" ? directory : `${directory}/${name}`;
    if (path.length > pathMax) {
      throw new EngineError("invalid", `invalid archive: file name too long: ${show(path.slice(0, 64))}…`);
    }
    return path;
  }

  #attributes(): Attributes {
    const reader = this.#reader;
    const owner = this.#request.owner ?? reader;
    return {
      uid: owner.uid,
      gid: owner.gid,
      permissions: reader.permissions,
      seconds: reader.seconds,
      nanoseconds: reader.nanoseconds,
      attributes(each) {
        reader.attributes((name, value, size) => {
          // Overlayfs' own marks would let a layer rearrange what lies below it.
          if (!name.startsWith("trusted.overlay.") && !name.startsWith("user.overlay.")) each(name, value, size);
        });
      },
    };
  }

  /** OCI image-spec, "Whiteouts"; other names that begin with `.wh..wh.` are notes of AUFS and mean nothing here. */
  #whiteout(path: string, attributes: Attributes): void {
    const base = baseOf(path);
    const parent = parentOf(path);
    if (base === opaqueMarker) {
      this.tree.opaque(parent, attributes);
      return;
    }
    if (base.startsWith(".wh..wh.")) return;
    const hidden = base.slice(whiteoutPrefix.length);
    if (hidden === "" || hidden === "." || hidden === "..") {
      throw new EngineError("invalid", `invalid whiteout name: ${show(base)}`);
    }
    this.tree.whiteout(parent === "" ? hidden : `${parent}/${hidden}`, attributes);
  }

  #fill(fd: number, path: string): void {
    let end = 0;
    for (let block = this.#reader.block(); block !== undefined; block = this.#reader.block()) {
      this.bytes += block.size;
      if (this.bytes > this.#request.maxBytes) throw tooMuch(`${this.#request.maxBytes} bytes`);
      const wrote = this.#calls.write(fd, block.address, block.size, block.offset);
      if (wrote < 0) throw this.#calls.fail("write", path, wrote);
      end = block.offset + block.size;
    }
    const size = this.#reader.size;
    if (end >= size) return;
    // A hole at the end.
    const cut = this.#calls.truncate(fd, size);
    if (cut < 0) throw this.#calls.fail("ftruncate", path, cut);
  }
}

/** Relative and without `.` and empty parts; absolute names are taken from the root, as Docker does. Throws for `..`. */
export function cleanPath(name: string): string {
  if (!/(^|\/)\.{0,2}(\/|$)/.test(name)) return name;
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) {
    throw new EngineError("invalid", `invalid archive: path ${show(name)} leaves the directory it is unpacked to`);
  }
  return parts.join("/");
}

function tooMuch(limit: string): EngineError {
  return new EngineError("invalid", `the archive is larger than the limit of ${limit}`);
}
