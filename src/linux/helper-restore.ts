/** Helper operation: unpacks a sealed backup of a volume, and takes nothing that a backup would not hold. */
import { EngineError, errorKind } from "#lib/errors.ts";
import type { BodyPosition } from "#lib/http/decoder.ts";
import { SealReader } from "#lib/seal.ts";
import { ArchiveReader } from "./archive.ts";
import type { Moment } from "./archive-writer.ts";
import { type BackupSummary, longestPath, manifestName, summaryName, treeName } from "./helper-backup.ts";
import { type Attribute, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, show } from "./helper-calls.ts";
import { baseOf, parentOf } from "./helper-tree.ts";
import { toArrayBuffer } from "bun:ffi";
import { LentReader } from "./lent-reader.ts";
import type { VolumeCalls } from "./volume-calls.ts";
import { type Description, NewTree } from "./volume-tree.ts";

export interface RestoreRequest {
  /** An empty folder; this process makes it its root. */
  readonly target: string;
  /** The archive comes from a socket, through `LentReader`. */
  readonly lent?: BodyPosition;
}

export interface RestoreResult extends BackupSummary {
  /** Text of the archive's first file. */
  readonly manifest: string;
}

interface RestoreOutcome extends RestoreResult {
  /** What was read of the socket beyond the body, base64. */
  readonly rest?: string;
}

/** Bytes of the archive's own files. */
const textMax = 1024 * 1024;
const what = "the backup";

/**
 * Reads the archive from standard input or the socket to its end and writes the tree to the disk; the tree counts only where this
 * succeeds. Throws "invalid" for what is cut off, damaged, or was made by something else.
 */
export function restoreTree(request: RestoreRequest, calls: VolumeCalls): RestoreOutcome {
  using reader = new ArchiveReader("zstd");
  const body = request.lent && new LentReader(calls, request.lent);
  const source = new Source(body === undefined ? () => readInput(calls) : () => body.read());
  const root = calls.enterRoot(request.target);
  let result: RestoreResult;
  try {
    reader.openSource(() => source.next());
    result = unpack(reader, calls, root);
  } catch (error) {
    // Damage shows in many ways, also as names that cannot be; that the digest is wrong, or the end missing, says more.
    if (errorKind(error) !== "unavailable") source.drain();
    throw error;
  }
  source.drain();
  calls.sync(root);
  return body === undefined ? result : { ...result, rest: Buffer.from(body.rest).toString("base64") };
}

function unpack(reader: ArchiveReader, calls: VolumeCalls, root: number): RestoreResult {
  const begins = reader.next() && isText(reader, manifestName);
  if (!begins) throw foreign(`it does not begin with ${manifestName}`);
  const manifest = readText(reader);
  const restoring = new Restoring(reader, calls, root);
  while (reader.next()) {
    if (!isText(reader, summaryName)) {
      restoring.entry();
      continue;
    }
    const summary = parseSummary(readText(reader));
    restoring.finish();
    if (reader.next()) throw foreign(`${show(reader.pathname)} follows its end`);
    const { entries, bytes } = restoring;
    if (entries !== summary.entries || bytes !== summary.bytes) {
      throw foreign(`it has ${entries} entries with ${bytes} bytes, not ${summary.entries} with ${summary.bytes}`);
    }
    return { ...summary, manifest };
  }
  throw foreign(`it has no ${summaryName}`);
}

/** The archive's bytes, checked on their way. */
class Source {
  readonly #read: () => Uint8Array | undefined;
  readonly #seal = new SealReader();
  #ended = false;

  /** `read` answers undefined at the end. */
  constructor(read: () => Uint8Array | undefined) {
    this.#read = read;
  }

  /** Valid until the next call; undefined at the end. Throws where that is not as it should be. */
  next(): Uint8Array | undefined {
    while (!this.#ended) {
      const bytes = this.#read();
      if (bytes === undefined) {
        this.#ended = true;
        this.#seal.end(what);
        return undefined;
      }
      const inner = this.#seal.push(bytes);
      if (inner.length > 0) return inner;
    }
    return undefined;
  }

  drain(): void {
    while (this.next() !== undefined);
  }
}

function readInput(calls: VolumeCalls): Uint8Array | undefined {
  const buffer = Buffer.alloc(256 * 1024);
  const size = calls.read(0, buffer);
  if (size < 0) throw calls.fail("read", "pipe", size);
  return size === 0 ? undefined : buffer.subarray(0, size);
}

interface OpenFolder {
  readonly path: string;
  readonly fd: number;
  readonly description: Description;
}

class Restoring {
  entries = 0;
  bytes = 0;
  readonly #reader: ArchiveReader;
  readonly #calls: VolumeCalls;
  readonly #root: number;
  readonly #tree: NewTree;
  /** From the root to where the archive is now: it tells a directory's entries right after it. */
  readonly #open: OpenFolder[] = [];

  constructor(reader: ArchiveReader, calls: VolumeCalls, root: number) {
    this.#reader = reader;
    this.#calls = calls;
    this.#root = root;
    this.#tree = new NewTree(calls, root);
  }

  entry(): void {
    const reader = this.#reader;
    this.entries++;
    const path = inTree(reader.pathname);
    if (this.entries === 1) {
      if (path !== "" || reader.type !== S_IFDIR) throw foreign(`${show(path)} comes before the volume's own folder`);
      this.#open.push({ path, fd: this.#root, description: this.#description() });
      return;
    }
    const dir = this.#enter(parentOf(path), path);
    const name = baseOf(path);
    const first = reader.hardlink;
    if (first !== undefined) {
      this.#tree.link(dir, name, inTree(first), path);
      return;
    }
    const description = this.#description();
    switch (reader.type) {
      case S_IFREG:
        this.#tree.file(dir, name, description, path, (fd) => this.#fill(fd, path));
        this.bytes += reader.size;
        return;
      case S_IFDIR:
        this.#open.push({ path, fd: this.#tree.directory(dir, name, path), description });
        return;
      case S_IFLNK:
        this.#tree.symlink(dir, name, reader.symlink, description, path);
        return;
      case S_IFCHR:
      case S_IFBLK:
      case S_IFIFO:
        this.#tree.node(dir, name, reader.type, Number(reader.device), description, path);
        return;
      default:
        throw foreign(`${show(path)} is of an unknown type`);
    }
  }

  /** Describes the directories that are still open. */
  finish(): void {
    while (this.#open.length > 0) this.#leave();
  }

  #enter(parent: string, path: string): number {
    for (let top = this.#open.at(-1); top !== undefined; top = this.#open.at(-1)) {
      if (top.path === parent) return top.fd;
      this.#leave();
    }
    throw foreign(`${show(path)} does not follow its folder`);
  }

  #leave(): void {
    const top = this.#open.pop();
    if (top === undefined) return;
    this.#tree.describeDirectory(top.fd, top.description, top.path);
    if (top.fd !== this.#root) this.#calls.close(top.fd);
  }

  #fill(fd: number, path: string): void {
    for (let block = this.#reader.block(); block !== undefined; block = this.#reader.block()) {
      const wrote = this.#calls.write(fd, block.address, block.size, block.offset);
      if (wrote < 0) throw this.#calls.fail("write", path, wrote);
    }
    // A hole at the end.
    const sized = this.#calls.truncate(fd, this.#reader.size);
    if (sized < 0) throw this.#calls.fail("ftruncate", path, sized);
  }

  #description(): Description {
    const reader = this.#reader;
    const attributes: Attribute[] = [];
    reader.attributes((name, value, size) => {
      const bytes = size === 0 ? Buffer.alloc(0) : Buffer.from(toArrayBuffer(value as never, 0, size).slice(0));
      attributes.push({ name: decodeName(name), value: bytes });
    });
    return {
      uid: reader.uid,
      gid: reader.gid,
      permissions: reader.permissions,
      accessed: meant(reader.accessed),
      modified: meant({ seconds: reader.seconds, nanoseconds: reader.nanoseconds }),
      attributes,
    };
  }
}

/** Of an attribute: in SCHILY.xattr libarchive writes what is not plain in hexadecimal, and leaves it so when it reads. */
function decodeName(name: string): string {
  return name.replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}

/** As the kernel counts what a tar tells of a time before 1970. */
function meant(moment: Moment): Moment {
  if (moment.seconds >= 0 || moment.nanoseconds === 0) return moment;
  return { seconds: moment.seconds - 1, nanoseconds: 1_000_000_000 - moment.nanoseconds };
}

/** The path in the volume. Throws unless the name is one that a backup has. */
function inTree(name: string): string {
  const clean = name.replace(/\/$/, "");
  if (clean === treeName) return "";
  const path = clean.slice(treeName.length + 1);
  const isClean = clean.startsWith(`${treeName}/`) && !/(^|\/)\.{0,2}(\/|$)/.test(path);
  if (!isClean || path.length > longestPath) throw foreign(`it holds ${show(name.slice(0, 256))}`);
  return path;
}

function isText(reader: ArchiveReader, name: string): boolean {
  return reader.pathname === name && reader.type === S_IFREG && reader.size <= textMax;
}

function readText(reader: ArchiveReader): string {
  const chunks: Buffer[] = [];
  for (let block = reader.block(); block !== undefined; block = reader.block()) {
    if (block.size > 0) chunks.push(Buffer.from(toArrayBuffer(block.address as never, 0, block.size).slice(0)));
  }
  return Buffer.concat(chunks).toString();
}

function parseSummary(text: string): BackupSummary {
  try {
    const { entries, bytes, sockets } = JSON.parse(text) as Record<keyof BackupSummary, unknown>;
    return { entries: Number(entries), bytes: Number(bytes), sockets: Number(sockets) };
  } catch {
    throw foreign(`its ${summaryName} cannot be read`);
  }
}

function foreign(why: string): EngineError {
  return new EngineError("invalid", `this is no backup of a volume: ${why}`);
}
