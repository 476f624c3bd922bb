/** Reads a container's log as conmon writes it and gives it out as Docker's log stream. */
import { watch } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { type FormatOptions, LogFormatter } from "./format.ts";
import { tailOffset } from "./tail.ts";

export interface LogOptions extends FormatOptions {
  /** Lines from the end; undefined is all. */
  tail?: number;
  follow?: boolean;
  /** Aborted once the container has stopped: a following reader then drains the file and ends. */
  stopped?: AbortSignal;
}

const BLOCK = 256 * 1024;

/**
 * Yields chunks of up to some 256 KiB, ready for the wire. The next one is read only when asked for.
 * A missing file is an empty log. Ends early, without an error, when `signal` is aborted.
 */
export async function* readLog(path: string, options: LogOptions, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const formatter = new LogFormatter(options);
  let file = await openLog(path);
  if (file === undefined) return;
  using changes = options.follow === true ? watchChanges(path, [signal, options.stopped]) : undefined;
  try {
    let offset = 0;
    if (options.tail !== undefined) {
      offset = await tailOffset(file, (await file.stat()).size, options.tail);
    }
    let block: Buffer = Buffer.allocUnsafe(BLOCK);
    /** Bytes at the block's start that belong to a record not yet whole. */
    let held = 0;
    for (;;) {
      // Looked at before reading: what was written until then is read below.
      const last = changes === undefined || options.stopped?.aborted === true;
      file ??= await openLog(path);
      const bytesRead = file === undefined ? 0 : (await file.read(block, held, block.length - held, offset)).bytesRead;
      if (signal?.aborted === true) return;
      if (bytesRead > 0) {
        offset += bytesRead;
        const whole = block.subarray(0, held + bytesRead);
        const { output, used } = formatter.format(whole);
        if (output.length > 0) yield output;
        if (formatter.finished) return;
        block.copy(block, 0, used, whole.length);
        held = whole.length - used;
        if (held === block.length) block = Buffer.concat([block], block.length * 2);
        continue;
      }
      if (file !== undefined && (await file.stat()).size < offset) {
        // Cut off from its start: what comes now is new.
        [offset, held] = [0, 0];
        continue;
      }
      if (file !== undefined && changes?.replaced() === true) {
        await file.close();
        file = undefined;
        [offset, held] = [0, 0];
        continue;
      }
      if (last) return;
      await changes.next();
    }
  } finally {
    await file?.close();
  }
}

async function openLog(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

interface Changes extends Disposable {
  /** Settles when the file may have changed since the last call, or one of the signals was aborted. */
  next(): Promise<void>;
  /** Whether another file took the path since the last call. */
  replaced(): boolean;
}

function watchChanges(path: string, signals: readonly (AbortSignal | undefined)[]): Changes {
  let wake = Promise.withResolvers<void>();
  let renamed = false;
  const notify = (): void => wake.resolve();
  const watcher = watch(path, { persistent: false }, (event) => {
    renamed ||= event === "rename";
    notify();
  });
  for (const signal of signals) signal?.addEventListener("abort", notify);
  return {
    async next() {
      await wake.promise;
      wake = Promise.withResolvers();
      if (signals.some((signal) => signal?.aborted === true)) wake.resolve();
    },
    replaced() {
      const was = renamed;
      renamed = false;
      return was;
    },
    [Symbol.dispose]() {
      watcher.close();
      for (const signal of signals) signal?.removeEventListener("abort", notify);
    },
  };
}
