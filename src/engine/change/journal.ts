/** Remembers changes of running containers that are not finished: after a crash they are taken back. */
import type { Database } from "bun:sqlite";
import type { SandboxPorts } from "#engine/network/port-changes.ts";
import { publishedOf } from "#engine/network/stored-records.ts";
import type { SavedLimits } from "#linux/cgroup-limits.ts";
import type { Schema } from "#store/database.ts";
import type { HostTexts } from "./host-files.ts";

export const changeSchema: Schema = {
  name: "change",
  versions: [
    `CREATE TABLE change (
       container TEXT PRIMARY KEY,
       intent TEXT NOT NULL   -- ChangeIntent as JSON
     ) STRICT, WITHOUT ROWID`,
  ],
};

/** What is needed, beside the container's record, to bring it back to what the record says. */
export interface ChangeIntent {
  /** Of the run that is changed; undefined in entries of older daemons. */
  startedAt?: string;
  /** Before the change. */
  limits?: SavedLimits;
  /** Before the change. */
  ports?: SandboxPorts;
  /** The kernel's numbers of mounts that are added. */
  mounts: number[];
  /** Destinations of mounts that are removed. */
  unmounts: string[];
  /** Volumes that were made for it. */
  volumes: string[];
  /** What the container's own files say, or are about to, where the record says otherwise. */
  texts?: HostTexts;
}

/** A change is written down before anything is done, and forgotten in the transaction that keeps its outcome. */
export class ChangeJournal {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  write(container: string, intent: ChangeIntent): void {
    this.#db
      .query("INSERT OR REPLACE INTO change (container, intent) VALUES (?, ?)")
      .run(container, JSON.stringify(intent));
  }

  /** Runs `keep`, which writes the outcome down, and forgets the change: both or neither. */
  finish(container: string, keep: () => void = () => {}): void {
    this.#db.transaction(() => {
      this.#db.query("DELETE FROM change WHERE container = ?").run(container);
      keep();
    })();
  }

  pending(): { container: string; intent: ChangeIntent }[] {
    return this.#db
      .query<{ container: string; intent: string }, []>("SELECT container, intent FROM change")
      .all()
      .map(({ container, intent }) => ({ container, intent: intentOf(JSON.parse(intent) as ChangeIntent) }));
  }
}

/** Older daemons wrote addresses as numbers. */
function intentOf({ ports, ...intent }: ChangeIntent): ChangeIntent {
  return { ...intent, ...(ports !== undefined && { ports: { ...ports, published: publishedOf(ports.published) } }) };
}
