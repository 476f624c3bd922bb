/** Learns of exits from the files that conmon leaves, so that none is missed while no daemon runs. */
import { mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Inotify } from "#linux/inotify.ts";

export interface ExitRecord {
  code: number;
  /** Nanoseconds since the epoch. */
  time: bigint;
}

/** What Docker reports where nobody knows: after a reboot, or from an exit file that is cut off. */
export const UNKNOWN_EXIT = 255;

/** Reads the exit file `name` in `folder`; undefined while there is none. conmon renames it into place when whole. */
export function readExit(folder: string, name: string): ExitRecord | undefined {
  const file = join(folder, name);
  let time: bigint;
  try {
    time = statSync(file, { bigint: true }).mtimeNs;
  } catch {
    return undefined;
  }
  try {
    const text = readFileSync(file, "utf8").trim();
    return { code: /^\d{1,3}$/.test(text) ? Number(text) : UNKNOWN_EXIT, time };
  } catch {
    return { code: UNKNOWN_EXIT, time };
  }
}

/** Watches one folder of exit files. A file stays until `forget`, so a crash between exit and bookkeeping loses nothing. */
export class ExitWatcher implements Disposable {
  readonly #folder: string;
  readonly #watch: Disposable;
  readonly #waiting = new Map<string, (exit: ExitRecord) => void>();

  constructor(folder: string, changes: Inotify) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#folder = folder;
    this.#watch = changes.watch(folder, (name) => {
      if (name === "") for (const id of this.#waiting.keys()) this.#look(id);
      else this.#look(name);
    });
  }

  /** Settles with the exit of `id`, at once if its file is there. One caller per id. */
  next(id: string): Promise<ExitRecord> {
    const { promise, resolve } = Promise.withResolvers<ExitRecord>();
    this.#waiting.set(id, resolve);
    this.#look(id);
    return promise;
  }

  read(id: string): ExitRecord | undefined {
    return readExit(this.#folder, id);
  }

  /** Removes the file once its content is recorded elsewhere, and whoever still waits for it. */
  forget(id: string): void {
    this.#waiting.delete(id);
    rmSync(join(this.#folder, id), { recursive: true, force: true });
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
    this.#waiting.clear();
  }

  #look(id: string): void {
    const resolve = this.#waiting.get(id);
    if (resolve === undefined) return;
    const exit = this.read(id);
    if (exit === undefined) return;
    this.#waiting.delete(id);
    resolve(exit);
  }
}
