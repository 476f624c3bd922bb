/** Puts a finished tree in the place of a volume's content, or makes a new volume of it, in one step. */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { namesIn } from "#lib/absent.ts";
import { EngineError } from "#lib/errors.ts";
import { exchangeFiles, spreadFolders } from "#linux/files.ts";
import type { CareContext } from "./care-context.ts";
import { randomVolumeName } from "./names.ts";
import { assertStopped, lockUsers } from "./users.ts";

/** What may be there already: no volume of that name, none with content, any. */
export type Existing = "none" | "empty" | "any";

/** A tree that is on its way to become the content of a volume. */
interface Staged extends AsyncDisposable {
  /** An empty folder to be filled. */
  readonly path: string;
  /**
   * The volume has the content when this resolves; it gets `labels` where it is new. Rejects "conflict" where that is
   * not possible any more. A crash leaves what was before, or all of it.
   */
  commit(name: string, labels: Readonly<Record<string, string>>): Promise<void>;
}

/** Begins a folder in a volume's own: next to the content, hence in the same file system and under the same quota. */
const NEXT = "_next";
/** No volume has such a name: the start of a daemon removes it. */
const NEW = ".new-";

/**
 * Disposing removes what was not committed, which may be why the disk is full; `doing` opens messages. Throws "conflict" where the volume may not change.
 * Without a `name` a new volume is meant, whose name is not known yet.
 */
export function stage(context: CareContext, doing: string, existing: Existing, name?: string): Staged {
  const { volumes, layout, trash } = context;
  if (name === undefined || !volumes.has(name)) return stageNew(context, doing);
  if (existing === "none") throw exists(doing, name);
  if (!volumes.mounts.isFolder(name)) {
    const why = `volume ${name} is a file system of its own, which cannot be replaced in one step`;
    throw new EngineError("conflict", `${doing}: ${why}: choose a new volume instead`);
  }
  const data = layout.volumeData(name);
  const assertReplaceable = (): void => {
    if (existing === "empty" && readdirSync(data).length > 0) {
      throw new EngineError("conflict", `${doing}: volume ${name} is not empty: --replace replaces its content`);
    }
  };
  assertReplaceable();
  const works = volumes.works.of(name);
  if (works.length > 0) throw new EngineError("conflict", `${doing}: volume ${name} is in use - [${works.join(", ")}]`);
  const held = volumes.works.begin(name, doing);
  const path = join(layout.volumes, name, NEXT);
  trash.put(path);
  mkdirSync(path);
  let committed = false;
  return {
    path,
    async commit() {
      using users = await lockUsers(context, name);
      assertStopped(users, doing);
      assertReplaceable();
      exchangeFiles(path, data);
      committed = true;
      syncFolder(join(layout.volumes, name));
    },
    async [Symbol.asyncDispose]() {
      held[Symbol.dispose]();
      // After the exchange it is the old content.
      trash.put(path);
      if (!committed) await trash.idle();
    },
  };
}

/** Removes what a crash left beside the content of volumes. */
export function removeStaged({ layout, trash }: Pick<CareContext, "layout" | "trash">): void {
  for (const name of namesIn(layout.volumes)) trash.put(join(layout.volumes, name, NEXT));
}

function stageNew({ volumes, journal, layout, trash, emit }: CareContext, doing: string): Staged {
  const folder = join(layout.volumes, `${NEW}${randomVolumeName().slice(0, 12)}`);
  const path = join(folder, "_data");
  // Many files are about to be made.
  spreadFolders(layout.volumes);
  mkdirSync(path, { recursive: true, mode: 0o701 });
  return {
    path,
    commit(name, labels) {
      if (volumes.has(name)) return Promise.reject(exists(doing, name));
      const place = join(layout.volumes, name);
      using undo = new DisposableStack();
      journal.adopt(name, labels, () => {
        renameSync(folder, place);
        undo.defer(() => trash.put(place));
        syncFolder(layout.volumes);
      });
      undo.move();
      emit("volume", "create", name, { driver: "local" });
      return Promise.resolve();
    },
    async [Symbol.asyncDispose]() {
      if (!existsSync(folder)) return;
      trash.put(folder);
      await trash.idle();
    },
  };
}

function exists(doing: string, name: string): EngineError {
  return new EngineError("conflict", `${doing}: a volume named ${name} exists already`);
}

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
