/** Reads a container's log as conmon writes it and gives it out as Docker's log stream. */
import { type FileHandle, open, stat } from "node:fs/promises";
import type { Inotify } from "#linux/inotify.ts";
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
export async function* readLog(
  path: string,
  options: LogOptions,
  inotify: Inotify,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const formatter = new LogFormatter(options);
  let file = await openLog(path);
  if (file === undefined) return;
  using changes = options.follow === true ? new Changes(inotify, path, [signal, options.stopped]) : undefined;
  try {
    let offset = 0;
    if (options.tail !== undefined) {
      offset = await tailOffset(file, (await file.stat()).size, options.tail);
    }
    let block: Buffer = Buffer.allocUnsafe(BLOCK);
    /** Bytes at the block's start that belong to a record not yet whole. */
    let held = 0;
    /** Another file has the path; this one is read to its end. */
    let left = false;
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
      if (file !== undefined && changes !== undefined && (left || (await replaced(file, path)))) {
        // Its writer may have written its last between our read and the change.
        left = !left;
        if (left) continue;
        await file.close();
        file = undefined;
        [offset, held] = [0, 0];
        changes.watch();
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

/** Another file has taken the path. */
async function replaced(file: FileHandle, path: string): Promise<boolean> {
  try {
    return (await stat(path)).ino !== (await file.stat()).ino;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/** Changes to the file at a path, and the end of waiting for them. */
class Changes implements Disposable {
  readonly #inotify: Inotify;
  readonly #path: string;
  readonly #signals: readonly (AbortSignal | undefined)[];
  readonly #notify = (): void => this.#wake.resolve();
  #wake = Promise.withResolvers<void>();
  #watch: Disposable | undefined;

  constructor(inotify: Inotify, path: string, signals: readonly (AbortSignal | undefined)[]) {
    this.#inotify = inotify;
    this.#path = path;
    this.#signals = signals;
    for (const signal of signals) signal?.addEventListener("abort", this.#notify);
    this.watch();
  }

  /** Looks at the file that has the path now. */
  watch(): void {
    this.#watch?.[Symbol.dispose]();
    this.#watch = this.#inotify.watch(this.#path, this.#notify);
  }

  /** Settles when the file may have changed since the last call, or one of the signals was aborted. */
  async next(): Promise<void> {
    if (this.#signals.some((signal) => signal?.aborted === true)) return;
    await this.#wake.promise;
    this.#wake = Promise.withResolvers();
  }

  [Symbol.dispose](): void {
    this.#watch?.[Symbol.dispose]();
    for (const signal of this.#signals) signal?.removeEventListener("abort", this.#notify);
  }
}
