/** The volumes and their uses as the database has them. */
import type { Database } from "bun:sqlite";
import type { StringMap } from "#api/types/container-config.ts";
import { type DriverOptions, parseDriverOptions } from "./driver-options.ts";

export interface VolumeRow {
  name: string;
  /** Milliseconds since the epoch. */
  created: number;
  /** JSON object. */
  labels: string;
  anonymous: number;
  /** JSON object of the driver's options, or null. */
  options: string | null;
  /** Of the quota; null where there is none, or an image bounds the size. */
  project: number | null;
}

/** That a container has a volume, running or not. */
export interface VolumeUse {
  volume: string;
  /** 1 where it was called by its name: `rm -v` leaves it then. */
  named: number;
  /** 1 once the image's content was offered. */
  filled: number;
}

export class VolumeRows {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  get(name: string): VolumeRow | undefined {
    return this.#db.query<VolumeRow, [string]>("SELECT * FROM volume WHERE name = ?").get(name) ?? undefined;
  }

  /** By name. */
  all(): VolumeRow[] {
    return this.#db.query<VolumeRow, []>("SELECT * FROM volume ORDER BY name").all();
  }

  insert(row: VolumeRow): void {
    this.#db
      .query(
        `INSERT INTO volume (name, created, labels, anonymous, options, project)
         VALUES ($name, $created, $labels, $anonymous, $options, $project)`,
      )
      .run({ ...row });
  }

  /** A name that was random is one by choice from now on. Inside a transaction: uses refer to names. */
  rename(from: string, to: string): void {
    this.#db.run("PRAGMA defer_foreign_keys = ON");
    this.#db
      .query(
        `UPDATE volume SET name = $to, anonymous = 0, labels = json_remove(labels, '$."com.docker.volume.anonymous"')
         WHERE name = $from`,
      )
      .run({ from, to });
    this.#db.query("UPDATE volume_use SET volume = $to WHERE volume = $from").run({ from, to });
  }

  delete(name: string): void {
    this.#db.query("DELETE FROM volume WHERE name = ?").run(name);
  }

  /** Ids of the containers that use the volume. */
  users(name: string): string[] {
    return this.#db
      .query<{ container: string }, [string]>("SELECT container FROM volume_use WHERE volume = ?")
      .all(name)
      .map(({ container }) => container);
  }

  /** Ids of the containers that use any. */
  allUsers(): string[] {
    return this.#db
      .query<{ container: string }, []>("SELECT DISTINCT container FROM volume_use")
      .all()
      .map(({ container }) => container);
  }

  uses(container: string): VolumeUse[] {
    return this.#db.query<VolumeUse, [string]>("SELECT * FROM volume_use WHERE container = ?").all(container);
  }

  /** A use that is known stays as it is. */
  use(container: string, volume: string, named: boolean): void {
    this.#db
      .query("INSERT OR IGNORE INTO volume_use (volume, container, named) VALUES (?, ?, ?)")
      .run(volume, container, named ? 1 : 0);
  }

  filled(container: string, volume: string): void {
    this.#db.query("UPDATE volume_use SET filled = 1 WHERE container = ? AND volume = ?").run(container, volume);
  }

  forget(container: string, volume: string): void {
    this.#db.query("DELETE FROM volume_use WHERE volume = ? AND container = ?").run(volume, container);
  }

  /** All of what `work` writes, or nothing where it throws. */
  atOnce<T>(work: () => T): T {
    return this.#db.transaction(work)();
  }
}

export function optionsOf({ options }: Pick<VolumeRow, "options">): DriverOptions {
  return options === null ? {} : parseDriverOptions(JSON.parse(options) as StringMap);
}
