/** What the daemon asks of helper processes about volumes: copies, backups and sizes of whole trees, with everything in them. */
import { availableParallelism } from "node:os";
import type { BackupRequest } from "./helper-backup.ts";
import { EngineError } from "#lib/errors.ts";
import type { LentAnswer } from "#lib/http/exchange.ts";
import { streamOf } from "#lib/streams.ts";
import { type Lendable, piped, runOnBody, start } from "./helper-client.ts";
import type { CopyTreeRequest, CopyTreeResult } from "./helper-copy.ts";
import type { SeveralRequest, TreeSize } from "./helper-disk.ts";
import type { RestoreRequest, RestoreResult } from "./helper-restore.ts";

/** Of Zstandard: its own default. */
const level = 3;
/** More would hold more memory than they are worth. */
const mostThreads = 8;
/** What a command line holds with names of any length (MAX_ARG_STRLEN is 128 KiB). */
const pathsAtOnce = 400;

/**
 * Copies everything of the folder `source` into the empty folder `target`, which it describes as well: owners, modes,
 * attributes, times, hard links, nodes, holes; blocks are shared where the file system can. It is on disk afterwards.
 *
 * Rejects "conflict" where a file changes meanwhile. What was written till then is for the caller to remove.
 */
export async function copyTree(source: string, target: string, signal?: AbortSignal): Promise<CopyTreeResult> {
  const request: CopyTreeRequest = { source, target };
  return (await start("copy", request, "ignore", "ignore", signal).outcome) as CopyTreeResult;
}

/** To be read, or written to an answer's socket by its packer: one of them, once. */
export interface TreeBackup extends AsyncIterable<Uint8Array> {
  writeTo(answer: LentAnswer): Promise<void>;
}

/**
 * The folder `root` as a sealed tar (`lib/seal.ts`) in Zstandard, of which `manifest` is the first file. Reading and
 * writing reject with "conflict" where a file changes meanwhile; what came till then ends with the reason, and cannot
 * be restored.
 */
export function backUpTree(root: string, manifest: string, signal?: AbortSignal): TreeBackup {
  const threads = Math.min(availableParallelism(), mostThreads);
  const request: BackupRequest = { root, manifest, level, threads };
  return {
    async *[Symbol.asyncIterator]() {
      const { stream, done } = piped(start("backup", request, "ignore", "pipe", signal));
      for await (const chunk of stream) yield chunk;
      await done;
    },
    async writeTo({ fd, chunked }) {
      if (fd === undefined) throw new EngineError("internal", "cannot back up: the client is gone");
      await start("backup", { ...request, socket: { chunked } }, "ignore", "ignore", signal, fd).outcome;
    },
  };
}

/**
 * Unpacks a backup into the empty folder `target`, which it describes as well. It is on disk afterwards.
 *
 * Rejects "invalid" where the archive is not whole, or is no backup: only at the end is that known, and the folder is
 * the caller's to remove then.
 */
export async function restoreTree(
  archive: AsyncIterable<Uint8Array> & Partial<Lendable>,
  target: string,
  signal?: AbortSignal,
): Promise<RestoreResult> {
  const request: RestoreRequest = { target };
  const lent = await archive.lend?.();
  if (lent !== undefined) return (await runOnBody("restore", request, lent, signal)) as RestoreResult;
  return (await start("restore", request, streamOf(archive), "ignore", signal).outcome) as RestoreResult;
}

/** Of each path inside the folder `root`; undefined where it is no directory. One process does many. */
export async function measureTrees(
  root: string,
  paths: readonly string[],
  signal?: AbortSignal,
): Promise<(TreeSize | undefined)[]> {
  const sizes: (TreeSize | null)[] = [];
  for (let at = 0; at < paths.length; at += pathsAtOnce) {
    const request: SeveralRequest = { root, paths: paths.slice(at, at + pathsAtOnce) };
    sizes.push(...((await start("usage", request, "ignore", "ignore", signal).outcome) as typeof sizes));
  }
  return sizes.map((size) => size ?? undefined);
}
