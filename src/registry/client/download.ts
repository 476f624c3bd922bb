/** Downloads a blob into the content store, going on where an earlier attempt broke off. */
import { EngineError } from "#lib/errors.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import type { ContentStore, ContentWriter } from "#store/content.ts";
import type { Repository } from "./repository.ts";

export interface DownloadProgress {
  /** Bytes there so far, of `size`. */
  onBytes?(current: number): void;
  /** All bytes are there; their digest is being checked. */
  onVerify?(): void;
  /** Milliseconds until the next attempt. */
  onRetry?(wait: number): void;
}

/**
 * Makes sure that the blob is in the store. Rejects "invalid" where what was served is not the digest (the partial is
 * dropped), else as the registry or the network failed once all attempts are used up (the partial is kept).
 * The caller holds a lease on the digest.
 */
export async function downloadBlob(
  repository: Repository,
  content: ContentStore,
  blob: Descriptor,
  progress: DownloadProgress,
  signal?: AbortSignal,
): Promise<void> {
  if (content.has(blob.digest)) return;
  await using writer = await content.writer(blob.digest, { digest: blob.digest, size: blob.size }, signal);
  if (content.has(blob.digest)) return; // another pull finished it while we waited for the writer
  let written = writer.offset;
  await repository.retry(
    async () => {
      if (written >= blob.size) return;
      written = await transfer(repository, writer, blob, written, progress, signal, (now) => {
        written = now;
      });
      if (written < blob.size) {
        throw new EngineError(
          "unavailable",
          `unexpected EOF: ${written} of ${blob.size} bytes of ${blob.digest} arrived`,
        );
      }
    },
    signal,
    (wait) => progress.onRetry?.(wait),
  );
  progress.onVerify?.();
  await writer.commit();
}

async function transfer(
  repository: Repository,
  writer: ContentWriter,
  blob: Descriptor,
  offset: number,
  progress: DownloadProgress,
  signal: AbortSignal | undefined,
  onWritten: (total: number) => void,
): Promise<number> {
  const stalled = new AbortController();
  const either = signal === undefined ? stalled.signal : AbortSignal.any([signal, stalled.signal]);
  // Without this a compressing proxy would make our offsets meaningless.
  const headers = { "accept-encoding": "identity", ...(offset > 0 && { range: `bytes=${offset}-` }) };
  const response = await repository.get(`blobs/${blob.digest}`, headers, either);
  let total = offset;
  if (offset > 0 && !resumesAt(response, offset)) {
    await writer.restart();
    total = 0;
    onWritten(0);
  }
  const watchdog = setInterval(() => {
    if (total === lastSeen) stalled.abort(new EngineError("unavailable", `the download of ${blob.digest} stalled`));
    lastSeen = total;
  }, repository.stallTimeout);
  let lastSeen = -1;
  try {
    for await (const chunk of response.body ?? []) {
      await writer.write(chunk);
      total += chunk.length;
      onWritten(total);
      progress.onBytes?.(total);
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw stalled.signal.aborted ? stalled.signal.reason : error;
  } finally {
    clearInterval(watchdog);
  }
  return total;
}

function resumesAt(response: Response, offset: number): boolean {
  if (response.status !== 206) return false;
  const start = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1];
  return start !== undefined && Number(start) === offset;
}
