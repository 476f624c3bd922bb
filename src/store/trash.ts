/** Removes trees without anyone waiting: a rename now, the unlinking later, of large ones in a low-priority helper. */
import { mkdirSync, readdirSync, renameSync, rmdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { emptyFolder } from "#linux/helper-client.ts";
import { errorMessage } from "#lib/errors.ts";
import type { Logger } from "#lib/log.ts";
import type { Layout } from "./layout.ts";

/** Milliseconds to gather, so that the clean-up does not fall into a burst of starts. */
const gatherTime = 1000;
/** Files and folders that are unlinked here: a helper costs as much as a few thousand of them. */
const smallTree = 200;

export class Trash implements AsyncDisposable {
  readonly #layout: Layout;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  #timer: Timer | undefined;
  #emptying: Promise<void> | undefined;

  constructor(layout: Layout, log: Logger) {
    this.#layout = layout;
    this.#log = log;
    mkdirSync(layout.trash, { recursive: true, mode: 0o700 });
  }

  /** Moves a file or folder of the data root out of sight; no error if it is already gone. */
  put(path: string): void {
    try {
      renameSync(path, join(this.#layout.trash, crypto.randomUUID()));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw error;
    }
    this.emptyLater();
  }

  /** Sees to what is there, in a while. */
  emptyLater(): void {
    if (this.#timer !== undefined || this.#stop.signal.aborted) return;
    this.#timer = setTimeout(() => void this.idle(), gatherTime);
    this.#timer.unref();
  }

  /** Resolves when everything put so far is off the disk, or is known to resist (then the log says so). */
  async idle(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    // What is being emptied may have missed the latest pieces.
    await this.#emptying;
    this.#emptying ??= this.#empty().finally(() => (this.#emptying = undefined));
    await this.#emptying;
  }

  /** Stops the helper; the next start goes on. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#stop.abort(new Error("the store is closing"));
    await this.#emptying;
  }

  async #empty(): Promise<void> {
    const { trash } = this.#layout;
    try {
      let large = false;
      for (const name of readdirSync(trash)) {
        if (this.#stop.signal.aborted) return;
        if (removeTree(join(trash, name), smallTree) === undefined) large = true;
        await nextTurn();
      }
      if (!large) return;
      for (const failure of await emptyFolder(trash, this.#stop.signal)) {
        this.#log.warn({ folder: trash }, `cannot remove from the trash: ${failure}`);
      }
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#log.warn({ folder: trash }, `cannot empty the trash: ${errorMessage(error)}`);
    }
  }
}

/**
 * Unlinks at most `budget` files and folders; answers what is left of the budget, undefined where it did not
 * suffice or something resisted. Links are not followed.
 */
function removeTree(path: string, budget: number): number | undefined {
  let left = budget;
  try {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (left <= 1) return undefined;
      const below = join(path, entry.name);
      if (entry.isDirectory()) {
        const rest = removeTree(below, left - 1);
        if (rest === undefined) return undefined;
        left = rest;
      } else {
        unlinkSync(below);
        left--;
      }
    }
    rmdirSync(path);
    return left - 1;
  } catch {
    // A file instead of a folder, a name that is no text, an immutable file: the helper knows them all.
    return undefined;
  }
}

/** Lets requests come between. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
