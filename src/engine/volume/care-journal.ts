/** Remembers what is done to volumes as a whole while it is not finished: a crash in between is mended from it. */
import type { Database } from "bun:sqlite";
import { durably, type Schema } from "#store/database.ts";
import { VolumeRows } from "./rows.ts";

export const volumeCareSchema: Schema = {
  name: "volume-care",
  versions: [
    `CREATE TABLE volume_rename (
       old TEXT PRIMARY KEY,
       new TEXT NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE volume_pause (
       container TEXT PRIMARY KEY     -- to be unpaused
     ) STRICT, WITHOUT ROWID`,
  ],
};

export interface Rename {
  readonly old: string;
  readonly new: string;
}

export class VolumeCareJournal {
  readonly #db: Database;
  readonly #rows: VolumeRows;

  constructor(db: Database) {
    this.#db = db;
    this.#rows = new VolumeRows(db);
  }

  /**
   * Gives a volume another name in the database, as one with what `also` writes: on the disk when it returns, so that
   * the folder may follow.
   */
  rename({ old, new: name }: Rename, also: () => void): void {
    durably(this.#db, () => {
      this.#db.query("INSERT INTO volume_rename (old, new) VALUES (?, ?)").run(old, name);
      this.#rows.rename(old, name);
      also();
    });
  }

  /** Makes a volume of a folder that `place` puts where it belongs; it is on the disk when this returns. */
  adopt(name: string, labels: Readonly<Record<string, string>>, place: () => void): void {
    durably(this.#db, () => {
      // Without its row the folder is nobody's, and the next start of a daemon removes it.
      place();
      const row = { name, created: Date.now(), labels: JSON.stringify(labels), anonymous: 0 };
      this.#rows.insert({ ...row, options: null, project: null });
    });
  }

  /** The folder has followed. */
  renamed({ old }: Rename): void {
    this.#db.query("DELETE FROM volume_rename WHERE old = ?").run(old);
  }

  /** The folder cannot follow: the database goes back. */
  takeBack({ old, new: name }: Rename, also: () => void): void {
    durably(this.#db, () => {
      this.#rows.rename(name, old);
      this.#db.query("DELETE FROM volume_rename WHERE old = ?").run(old);
      also();
    });
  }

  renames(): Rename[] {
    return this.#db.query<Rename, []>("SELECT old, new FROM volume_rename").all();
  }

  /** A container is about to be paused for a while. */
  pausing(container: string): void {
    this.#db.query("INSERT OR IGNORE INTO volume_pause (container) VALUES (?)").run(container);
  }

  unpaused(container: string): void {
    this.#db.query("DELETE FROM volume_pause WHERE container = ?").run(container);
  }

  pauses(): string[] {
    return this.#db
      .query<{ container: string }, []>("SELECT container FROM volume_pause")
      .all()
      .map(({ container }) => container);
  }
}
