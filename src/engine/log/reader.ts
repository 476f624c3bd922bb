/** Reads a container's log as conmon writes it and gives it out as Docker's log stream. */
import type { Inotify } from "#linux/inotify.ts";
import { type FormatOptions, LogFormatter } from "./format.ts";
import { liveInode } from "./segments.ts";
import { type LogFile, numberOf, openLogFiles } from "./source.ts";
import { tailStart } from "./tail.ts";

export interface LogOptions extends FormatOptions {
  /** Lines from the end; undefined is all. */
  tail?: number;
  follow?: boolean;
  /** Folder for what must be unpacked to be read; nothing is left in it. */
  scratch: string;
  /** Aborted once the container has stopped: a following reader then drains the file and ends. */
  stopped?: AbortSignal;
}

const BLOCK = 256 * 1024;

/**
 * Yields chunks of up to some 256 KiB, ready for the wire. The next one is read only when asked for.
 *
 * `path` is the live file; those that rotation left beside it come first. A missing one is an empty log. A line that is
 * in two files is given out as one. Who is slower than the log is rotated misses what is out of its bounds.
 * Ends early, without an error, when `signal` is aborted.
 */
export async function* readLog(
  path: string,
  options: LogOptions,
  inotify: Inotify,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const formatter = new LogFormatter(options);
  const { since, tail, scratch } = options;
  const files = await openLogFiles(path, 0, tail === undefined ? since : undefined);
  let changes: Changes | undefined;
  try {
    const start = tail === undefined ? { index: 0, offset: 0 } : await tailStart(files, tail, scratch);
    await closeAll(files.splice(0, start.index));
    let { offset } = start;
    let source = files[0];
    if (source === undefined) return;
    if (options.follow === true) changes = new Changes(inotify, path, [signal, options.stopped]);
    let content = await source.content(scratch);
    let block: Buffer = Buffer.allocUnsafe(BLOCK);
    /** Bytes at the block's start that belong to a record not yet whole. */
    let held = 0;
    /** Another file has the path; this one is read to its end. */
    let left = false;
    for (;;) {
      // Looked at before reading: what was written until then is read below.
      const ending = changes === undefined || options.stopped?.aborted === true;
      const { bytesRead } = await content.read(block, held, block.length - held, offset);
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
      if (source.live && changes !== undefined && (await content.stat()).size < offset) {
        // Cut off from its start: what comes now is new.
        [offset, held] = [0, 0];
        continue;
      }
      if (!source.live || (changes !== undefined && isReplaced(path, source))) {
        // Its writer may have written its last between our read and the change.
        left = source.live && !left;
        if (left) continue;
        if (files.length === 1 && changes !== undefined) {
          files.push(...(await openLogFiles(path, numberOf(path, source), since)));
        }
        await closeAll(files.splice(0, 1));
        source = files[0];
        if (source === undefined) return;
        content = await source.content(scratch);
        [offset, held] = [0, 0];
        if (source.live) changes?.watch();
        continue;
      }
      if (ending || changes === undefined) return;
      await changes.next();
    }
  } finally {
    changes?.[Symbol.dispose]();
    await closeAll(files);
  }
}

async function closeAll(files: readonly LogFile[]): Promise<void> {
  for (const file of files) await file[Symbol.asyncDispose]();
}

/** Another file has taken the path. */
function isReplaced(path: string, { inode }: LogFile): boolean {
  const live = liveInode(path);
  return live !== undefined && live !== inode;
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
