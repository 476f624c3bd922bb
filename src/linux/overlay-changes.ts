/** Tells what the upper folder of an overlay changes in the folders below it, without reading any content. */
import { constants } from "node:fs";
import { S_IFCHR, S_IFDIR, S_IFMT, TreeCalls } from "./helper-calls.ts";
import { AT_FDCWD } from "./libc.ts";

export interface OverlayChange {
  /** Relative, UTF-8. */
  readonly path: string;
  readonly kind: "added" | "modified" | "deleted";
}

/** One folder as the layers below have it together: those that contribute, top first, as open descriptors. */
type Below = readonly number[];

/** Names between two turns of the event loop: some milliseconds. */
const TURN = 1000;

/**
 * Parents come before what is in them. A folder that is in `upper` counts as modified where the layers have it, as do
 * files. `lower` is top first. The upper folder may change meanwhile: what vanishes is left out, links are not followed.
 */
export async function* overlayChanges(upper: string, lower: readonly string[]): AsyncGenerator<OverlayChange> {
  const walk = new Walk();
  const top = walk.open(upper);
  const below = lower.map((folder) => walk.open(folder));
  try {
    for (const change of walk.folder(top, "", below)) {
      if (++walk.seen % TURN === 0) await new Promise((resolve) => setImmediate(resolve));
      yield { ...change, path: Buffer.from(change.path, "latin1").toString() };
    }
  } finally {
    walk.close([top, ...below]);
  }
}

class Walk {
  seen = 0;
  readonly #calls = new TreeCalls("cannot list changes");

  open(folder: string): number {
    const name = Buffer.from(folder).toString("latin1");
    const fd = this.#calls.open(AT_FDCWD, name, constants.O_RDONLY | constants.O_DIRECTORY);
    if (fd < 0) throw this.#calls.fail("openat", name, fd);
    return fd;
  }

  close(fds: readonly number[]): void {
    for (const fd of fds) this.#calls.close(fd);
  }

  *folder(dir: number, path: string, below: Below): Generator<OverlayChange> {
    for (const { name, type } of this.#calls.list(dir)) {
      const at = path === "" ? name : `${path}/${name}`;
      if (this.#isWhiteout(dir, name, type)) {
        if (this.#exists(below, name)) yield { path: at, kind: "deleted" };
        continue;
      }
      yield { path: at, kind: this.#exists(below, name) ? "modified" : "added" };
      const inner = type === S_IFDIR || type === 0 ? this.#calls.openDirectory(dir, name) : -1;
      if (inner < 0) continue;
      const innerBelow = this.#descend(below, name);
      try {
        yield* this.folder(inner, at, innerBelow);
        if (this.#calls.isOpaque(inner)) yield* this.#hidden(inner, at, innerBelow);
      } finally {
        this.close([inner, ...innerBelow]);
      }
    }
  }

  /** What the layers have in a folder that was made anew, and the new one has not. */
  *#hidden(dir: number, path: string, below: Below): Generator<OverlayChange> {
    const names = new Set(below.flatMap((folder) => this.#calls.list(folder).map(({ name }) => name)));
    for (const name of [...names].toSorted()) {
      if (this.#calls.stat(dir, name) === undefined && this.#exists(below, name)) {
        yield { path: `${path}/${name}`, kind: "deleted" };
      }
    }
  }

  /** By the word of the topmost layer that has anything of this name. */
  #exists(below: Below, name: string): boolean {
    for (const dir of below) {
      const stat = this.#calls.stat(dir, name);
      if (stat !== undefined) return !isWhiteout(stat);
    }
    return false;
  }

  /** The caller closes them. */
  #descend(below: Below, name: string): number[] {
    const open: number[] = [];
    for (const dir of below) {
      const stat = this.#calls.stat(dir, name);
      if (stat === undefined) continue;
      if ((stat.mode & S_IFMT) !== S_IFDIR) break;
      const fd = this.#calls.openDirectory(dir, name);
      if (fd < 0) break;
      open.push(fd);
      if (this.#calls.isOpaque(fd)) break;
    }
    return open;
  }

  #isWhiteout(dir: number, name: string, type: number): boolean {
    if (type !== S_IFCHR && type !== 0) return false;
    const stat = this.#calls.stat(dir, name);
    return stat !== undefined && isWhiteout(stat);
  }
}

function isWhiteout({ mode, major, minor }: { mode: number; major: number; minor: number }): boolean {
  return (mode & S_IFMT) === S_IFCHR && major === 0 && minor === 0;
}
