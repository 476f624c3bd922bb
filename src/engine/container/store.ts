/** All containers: in memory for reading, in the database for the next daemon. */
import type { Database } from "bun:sqlite";
import { EngineError } from "#lib/errors.ts";
import type { Schema } from "#store/database.ts";
import { Container } from "./container.ts";
import type { Console } from "#engine/runtime/console.ts";
import type { ContainerRecord, StateRecord } from "./record.ts";

export const containerSchema: Schema = {
  name: "container",
  versions: [
    `CREATE TABLE container (
       id TEXT PRIMARY KEY,
       name TEXT NOT NULL UNIQUE,
       record TEXT NOT NULL,   -- ContainerRecord as JSON
       state TEXT NOT NULL     -- StateRecord as JSON
     ) STRICT, WITHOUT ROWID`,
  ],
};

export class ContainerStore {
  readonly #db: Database;
  readonly #byId = new Map<string, Container>();
  readonly #byName = new Map<string, Container>();
  readonly #leaving = new Set<Promise<void>>();

  /** Reads every container; `newConsole` makes the streams' side of one. */
  constructor(db: Database, newConsole: (record: ContainerRecord) => Console) {
    this.#db = db;
    const rows = db.query<{ record: string; state: string }, []>("SELECT record, state FROM container").all();
    for (const row of rows) {
      const record = JSON.parse(row.record) as ContainerRecord;
      this.#remember(new Container(record, JSON.parse(row.state) as StateRecord, newConsole(record)));
    }
  }

  /** Throws "conflict" where the name is taken. */
  add(container: Container): void {
    this.assertNameFree(container.name);
    this.#db
      .query("INSERT INTO container (id, name, record, state) VALUES (?, ?, ?, ?)")
      .run(container.id, container.name, JSON.stringify(container.record), JSON.stringify(container.state));
    this.#remember(container);
  }

  saveState(container: Container): void {
    this.#db.query("UPDATE container SET state = ? WHERE id = ?").run(JSON.stringify(container.state), container.id);
  }

  /** After a change of the record's configuration. */
  saveRecord(container: Container): void {
    this.#db.query("UPDATE container SET record = ? WHERE id = ?").run(JSON.stringify(container.record), container.id);
  }

  /** As one with the database: where that refuses, `container.record` stays what it was. */
  replaceRecord(container: Container, next: ContainerRecord): void {
    const record = { ...next, name: container.name };
    this.#db.query("UPDATE container SET record = ? WHERE id = ?").run(JSON.stringify(record), container.id);
    Object.assign(container.record, record);
  }

  /** Throws "conflict" where the name is taken. */
  rename(container: Container, name: string): void {
    this.assertNameFree(name);
    this.#db
      .query("UPDATE container SET name = ?, record = ? WHERE id = ?")
      .run(name, JSON.stringify({ ...container.record, name }), container.id);
    this.#byName.delete(container.name);
    container.record.name = name;
    this.#byName.set(name, container);
  }

  remove(container: Container): void {
    this.#db.query("DELETE FROM container WHERE id = ?").run(container.id);
    this.#byId.delete(container.id);
    this.#byName.delete(container.name);
  }

  /** A removed container's files are still going; `cleanup` never rejects. */
  leave(cleanup: Promise<void>): void {
    this.#leaving.add(cleanup);
    void cleanup.then(() => this.#leaving.delete(cleanup));
  }

  /** Settles once nothing is being cleaned up. */
  async tidy(): Promise<void> {
    await Promise.all([...this.all().map(({ cleanup }) => cleanup), ...this.#leaving]);
  }

  assertNameFree(name: string): void {
    const taken = this.#byName.get(name);
    if (taken === undefined) return;
    throw new EngineError(
      "conflict",
      `Conflict. The container name "/${name}" is already in use by container "${taken.id}". ` +
        `You have to remove (or rename) that container to be able to reuse that name.`,
    );
  }

  /** By full id, name (with or without the slash) or unique prefix of the id, in this order. Throws "not-found". */
  get(reference: string): Container {
    if (reference === "") throw new EngineError("invalid", 'invalid name or ID supplied: ""');
    const found = this.find(reference);
    if (found === undefined) throw new EngineError("not-found", `No such container: ${reference}`);
    return found;
  }

  find(reference: string): Container | undefined {
    const exact = this.#byId.get(reference) ?? this.#byName.get(reference.replace(/^\//, ""));
    if (exact !== undefined || !/^[0-9a-f]+$/.test(reference)) return exact;
    let match: Container | undefined;
    for (const [id, container] of this.#byId) {
      if (!id.startsWith(reference)) continue;
      if (match !== undefined) {
        throw new EngineError("invalid", `Multiple IDs found with provided prefix: ${reference}`);
      }
      match = container;
    }
    return match;
  }

  /** In no particular order. */
  all(): Container[] {
    return [...this.#byId.values()];
  }

  #remember(container: Container): void {
    this.#byId.set(container.id, container);
    this.#byName.set(container.name, container);
  }
}
