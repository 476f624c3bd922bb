/** What the daemon asks of helper processes: unpack, pack, measure and remove trees without touching their bytes itself. */
import { closeSync, openSync, writeSync } from "node:fs";
import { EngineError } from "#lib/errors.ts";
import type { LentBody } from "#lib/http/body.ts";
import type { LentAnswer } from "#lib/http/exchange.ts";
import { streamOf } from "#lib/streams.ts";
import { isCompressed, peek, startsCompressed } from "./archive-start.ts";
import { feed } from "./feed.ts";
import { type HelperOperation, type HelperOutcome, helperCommand } from "./helper.ts";
import type { TreeSize } from "./helper-disk.ts";
import type { MountHereRequest } from "./helper-mount.ts";
import type { PackTreeRequest } from "./helper-pack.ts";
import {
  cleanPath,
  type DecompressRequest,
  type DecompressResult,
  type UnpackTreeRequest,
  type UnpackTreeResult,
} from "./helper-unpack.ts";
import type { IdMap } from "./id-map.ts";
import { checked, cString, O_CLOEXEC, syscall } from "./libc.ts";

const MFD_CLOEXEC = 1;
const F_SETPIPE_SZ = 1031;
/** What an unprivileged user may ask for, hence every kernel grants. */
const pipeSize = 1024 * 1024;

/** Bytes on their way, which the helper may fetch itself where `lend` lets it. */
export interface Lendable extends AsyncIterable<Uint8Array> {
  unread(bytes: Uint8Array): void;
  lend(): Promise<LentBody | undefined>;
}

export interface UnpackRequest {
  /**
   * A tar, perhaps compressed (gzip, zstd, xz, bzip2): the path of a file, a descriptor at its start, which stays the
   * caller's, a stream, or the body of a request.
   */
  readonly archive: string | number | ReadableStream<Uint8Array> | Lendable;
  /** Existing folder; the helper changes its root to it. */
  readonly target: string;
  /** "layer" turns OCI whiteouts into overlay ones, "plain" takes names as they are (docker cp). */
  readonly mode: "layer" | "plain";
  /** Folder that the names are relative to, looked up inside `target`; default its root. */
  readonly directory?: string;
  /** Compute a digest of the uncompressed stream. */
  readonly digest?: "sha256" | "sha512";
  /** Of file content; default 64 GiB. */
  readonly maxBytes?: number;
  /** Default 4 million. */
  readonly maxEntries?: number;
  /** Give everything to this owner instead of the archive's. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Refuse to replace a directory by something else or the reverse (docker cp). */
  readonly keepDirectories?: boolean;
  /** Leave a symbolic link to a directory where an entry for a directory has its name (Debian's merged /usr). */
  readonly keepDirectoryLinks?: boolean;
  /** Several tars one after the other. */
  readonly concatenated?: boolean;
  /** Owners in the archive are ids inside; the tree gets those outside. */
  readonly ids?: IdMap;
}

export interface UnpackResult extends UnpackTreeResult {
  /** `<algorithm>:<hex>` of the uncompressed stream, where asked for. */
  readonly digest?: string;
}

/**
 * Unpacks into `target`: `bytes` counts the content of files, `impliedDirectories` are those made because an entry
 * needed them though the archive has none, parents first ("" is the root), latin1 for bytes.
 *
 * Rejects "invalid" for a malformed or malicious archive or an exceeded limit, "not-found" without `directory`, and
 * with the disk's failures; what was written till then is for the caller to remove.
 */
export async function unpackArchive(request: UnpackRequest, signal?: AbortSignal): Promise<UnpackResult> {
  const { archive, maxBytes = 64 * 2 ** 30, maxEntries = 4_000_000 } = request;
  const tree: UnpackTreeRequest = {
    target: request.target,
    mode: request.mode,
    directory: cleanPath(Buffer.from(request.directory ?? "").toString("latin1")),
    maxBytes,
    maxEntries,
    owner: request.owner ?? null,
    keepDirectories: request.keepDirectories ?? false,
    keepDirectoryLinks: request.keepDirectoryLinks ?? false,
    concatenated: request.concatenated ?? false,
    ...(request.ids && { ids: request.ids }),
  };
  const lendable = isLendable(archive);
  if (lendable && request.digest === undefined && !(await startsCompressed(archive))) {
    const lent = await archive.lend();
    if (lent !== undefined) return (await runOnBody("unpack", tree, lent, signal)) as UnpackTreeResult;
  }
  const input = await open(lendable ? streamOf(archive) : archive);
  try {
    // Neither to be decompressed nor to be hashed: one process does it.
    if (request.digest === undefined && input.compressed === false) {
      return (await start("unpack", tree, input.from, "ignore", signal).outcome) as UnpackTreeResult;
    }
    // Headers, padding and the end mark come on top of the content.
    const limit = { algorithm: request.digest ?? "sha256", maxBytes: maxBytes + maxEntries * 1024 } as const;
    return await unpackThroughPipe(input.from, tree, limit, signal);
  } finally {
    if (typeof archive === "string") closeSync(input.from as number);
  }
}

/** `compressed` is undefined for a descriptor, in which there is no looking ahead. */
async function open(
  archive: string | number | ReadableStream<Uint8Array>,
): Promise<{ from: number | ReadableStream<Uint8Array>; compressed: boolean | undefined }> {
  if (typeof archive === "number") return { from: archive, compressed: undefined };
  if (typeof archive === "string") return { compressed: isCompressed(archive), from: openSync(archive, "r") };
  const { stream, compressed } = await peek(archive);
  return { from: stream, compressed };
}

function isLendable(archive: UnpackRequest["archive"]): archive is Lendable {
  return typeof archive === "object" && "lend" in archive;
}

/** The outcome of an operation that reads the socket itself. What it read ahead of the request's end goes back. */
export async function runOnBody(
  operation: HelperOperation,
  request: object,
  lent: LentBody,
  signal?: AbortSignal,
): Promise<object> {
  await using undo = new AsyncDisposableStack();
  undo.defer(() => lent.abandon());
  const ahead = fileInMemory(lent.ahead);
  let running: Promise<unknown>;
  try {
    const { fd } = lent;
    if (fd === undefined) throw new EngineError("invalid", "unexpected EOF");
    running = start(operation, { ...request, lent: lent.position }, ahead, "ignore", signal, fd).outcome;
  } finally {
    closeSync(ahead);
  }
  const { rest = "", ...result } = (await running) as { rest?: string };
  undo.move();
  lent.end(Buffer.from(rest, "base64"));
  return result;
}

/** The descriptor of a file at its start; the caller closes it. */
function fileInMemory(bytes: Uint8Array): number {
  const fd = checked("cannot make a file in memory", "", "memfd_create", cString("ahead"), MFD_CLOEXEC);
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at, bytes.length - at, at);
  return fd;
}

async function unpackThroughPipe(
  input: number | ReadableStream<Uint8Array>,
  tree: UnpackTreeRequest,
  limit: DecompressRequest,
  signal?: AbortSignal,
): Promise<UnpackResult> {
  const [readEnd, writeEnd] = openPipe();
  const running: Promise<unknown>[] = [];
  try {
    running.push(start("unpack", tree, readEnd, "ignore", signal).outcome);
    running.push(start("decompress", limit, input, writeEnd, signal).outcome);
  } finally {
    // Only the helpers hold the ends now: when one stops, the other notices.
    closeSync(readEnd);
    closeSync(writeEnd);
  }
  const [unpacked, decompressed] = await Promise.allSettled(running);
  // A stream cut off upstream is the cause of a truncated tar downstream.
  if (decompressed?.status === "rejected") throw decompressed.reason;
  if (unpacked?.status !== "fulfilled") throw unpacked?.reason;
  return { ...(unpacked.value as UnpackTreeResult), ...(decompressed?.value as DecompressResult) };
}

/**
 * Writes `source` without its compression (gzip, zstd, xz, bzip2) to the new file `target`. Rejects "invalid" where it
 * is damaged or would become larger than `maxBytes`; what was written till then is for the caller to remove.
 */
export async function decompressFile(
  source: string,
  target: string,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<void> {
  const input = openSync(source, "r");
  try {
    const output = openSync(target, "wx", 0o600);
    try {
      const request: DecompressRequest = { algorithm: "sha256", maxBytes };
      await start("decompress", request, input, output, signal).outcome;
    } finally {
      closeSync(output);
    }
  } finally {
    closeSync(input);
  }
}

/** `source` without its compression, by a process of its own. `done` rejects "invalid" where it is damaged or too long. */
export function decompressStream(
  source: ReadableStream<Uint8Array>,
  maxBytes: number,
  signal?: AbortSignal,
): PackStream {
  const request: DecompressRequest = { algorithm: "sha256", maxBytes };
  return piped(start("decompress", request, source, "pipe", signal));
}

export interface PackRequest {
  /** The helper changes its root to it. */
  readonly root: string;
  /** What to pack, links on the way to it followed inside `root`; default everything below `root`. */
  readonly path?: string;
  /** "layer" turns overlay whiteouts and opaque directories of an upper folder into OCI ones; "plain" takes all as is. */
  readonly mode: "layer" | "plain";
  /** Entry name for `path` instead of its own. */
  readonly rename?: string;
  /** Owners in the tree are ids outside; the archive gets those inside. */
  readonly ids?: IdMap;
}

/** A PAX tar in a fixed order. `done` rejects where packing failed: await it after the stream's end. Cancel by the signal. */
export interface PackStream {
  readonly stream: ReadableStream<Uint8Array>;
  readonly done: Promise<void>;
}

/** `done` rejects "not-found" for an absent path. */
export function packTree(request: PackRequest, signal?: AbortSignal): PackStream {
  return piped(start("pack", packTreeRequest(request), "ignore", "pipe", signal));
}

/** As `packTree`, as the body of an answer, whose end is the caller's to write. */
export async function packIntoAnswer(answer: LentAnswer, request: PackRequest, signal?: AbortSignal): Promise<void> {
  const { fd, chunked } = answer;
  if (fd === undefined) throw new EngineError("internal", "cannot pack: the client is gone");
  await start("pack", { ...packTreeRequest(request), socket: { chunked } }, "ignore", "ignore", signal, fd).outcome;
}

function packTreeRequest(request: PackRequest): PackTreeRequest {
  return {
    root: request.root,
    path: cleanPath(Buffer.from(request.path ?? "").toString("latin1")),
    mode: request.mode,
    rename: Buffer.from(request.rename ?? "").toString("latin1"),
    ...(request.ids && { ids: request.ids }),
  };
}

export function piped({ child, outcome }: ReturnType<typeof start>): PackStream {
  const done = outcome.then(() => {});
  done.catch(() => {}); // told to whoever awaits it, however late
  return { stream: child.stdout as ReadableStream<Uint8Array>, done };
}

/** Of a folder and all below it. */
export async function measureTree(root: string, signal?: AbortSignal): Promise<TreeSize> {
  return (await askHelper("measure", { root }, signal)) as TreeSize;
}

/** Empties a folder at low priority. Resolves to the messages of what could not be removed. */
export async function emptyFolder(root: string, signal?: AbortSignal): Promise<string[]> {
  return ((await askHelper("remove", { root }, signal)) as { failures: string[] }).failures;
}

/** Runs an operation that takes and gives no bytes. Rejects as the operation does, and when `signal` ends its process. */
export function askHelper(operation: HelperOperation, request: object, signal?: AbortSignal): Promise<unknown> {
  return start(operation, request, "ignore", "ignore", signal).outcome;
}

/** As the helper's "mount". The options may hold a password, hence are not on the command line, which everybody can read. */
export async function mountInHelper(request: MountHereRequest, signal?: AbortSignal): Promise<void> {
  const { options, ...rest } = request;
  const input = fileInMemory(Buffer.from(options));
  let running: Promise<unknown>;
  try {
    running = start("mount", rest, input, "ignore", signal).outcome;
  } finally {
    closeSync(input);
  }
  await running;
}

function openPipe(): [readEnd: number, writeEnd: number] {
  const ends = new Int32Array(2);
  checked("cannot make a pipe", "", "pipe2", ends, O_CLOEXEC);
  const [readEnd, writeEnd] = ends as unknown as [number, number];
  syscall("fcntl", writeEnd, F_SETPIPE_SZ, pipeSize);
  return [readEnd, writeEnd];
}

/** For the modules beside this one. */
export function start(
  operation: HelperOperation,
  request: object,
  stdin: number | ReadableStream<Uint8Array> | "ignore",
  stdout: number | "pipe" | "ignore",
  signal?: AbortSignal,
  socket?: number,
) {
  signal?.throwIfAborted();
  const child = Bun.spawn([...helperCommand(), operation, JSON.stringify({ ...request, parent: process.pid })], {
    cwd: "/", // Bun reads settings from the working directory
    env: {},
    stdio: [typeof stdin === "object" ? "pipe" : stdin, stdout, "pipe", ...(socket === undefined ? [] : [socket])],
    ...(signal && { signal, killSignal: "SIGKILL" as const }),
  });
  const outcome = outcomeOf(operation, child, signal);
  if (typeof stdin !== "object") return { child, outcome };
  const fed = feed(stdin, child.stdin as Bun.FileSink, child.exited);
  return { child, outcome: fedOutcome(outcome, fed, signal) };
}

/** What became of the source explains why the helper found its input cut off. */
async function fedOutcome(
  outcome: Promise<unknown>,
  fed: Promise<Error | undefined>,
  signal?: AbortSignal,
): Promise<unknown> {
  const [result, failed] = await Promise.allSettled([outcome, fed]);
  signal?.throwIfAborted();
  if (failed.status === "fulfilled" && failed.value !== undefined) throw failed.value;
  if (result.status === "rejected") throw result.reason;
  return result.value;
}

async function outcomeOf(
  operation: HelperOperation,
  child: { readonly stderr: ReadableStream<Uint8Array>; readonly exited: Promise<number> },
  signal?: AbortSignal,
): Promise<unknown> {
  const [said, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  signal?.throwIfAborted();
  const outcome = parseOutcome(said);
  if (outcome === undefined) {
    throw new EngineError("internal", `cannot ${operation}: the helper ended with status ${code}: ${said.trim()}`);
  }
  if ("error" in outcome) throw new EngineError(outcome.error.kind, outcome.error.message);
  return outcome.result;
}

function parseOutcome(said: string): HelperOutcome | undefined {
  try {
    return JSON.parse(said.trimEnd().split("\n").at(-1) ?? "") as HelperOutcome;
  } catch {
    return undefined; // it crashed, and this is what its runtime or the C library had to say
  }
}
