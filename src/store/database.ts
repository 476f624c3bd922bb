/** Opens the daemon's one SQLite file and brings every module's tables up to date. */
import { Database } from "bun:sqlite";
import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { EngineError } from "#lib/errors.ts";

/** A module's tables: `versions[i]` is the SQL that takes the schema from version i to i+1. Never edit a released one. */
export interface Schema {
  readonly name: string;
  readonly versions: readonly string[];
}

/**
 * Opens `file` in WAL mode (made if absent) and applies what is missing of `schemas`.
 *
 * Rejects with kind "internal" where the file is damaged or newer than this program: it is left untouched.
 */
export function openDatabase(file: string, schemas: readonly Schema[]): Database {
  mkdirSync(dirname(file), { recursive: true, mode: 0o711 });
  const existed = existsSync(file);
  let db: Database | undefined;
  try {
    db = new Database(file, { create: true, readwrite: true, strict: true });
    db.run("PRAGMA journal_mode = WAL");
    db.run("PRAGMA synchronous = NORMAL");
    db.run("PRAGMA foreign_keys = ON");
    db.run("PRAGMA busy_timeout = 5000");
    if (existed) {
      const check = db.query<{ quick_check: string }, []>("PRAGMA quick_check(1)").get();
      if (check?.quick_check !== "ok") throw new Error(check?.quick_check ?? "quick_check gave no answer");
    }
    migrate(db, schemas);
    return db;
  } catch (cause) {
    db?.close();
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new EngineError(
      "internal",
      `cannot open the database ${file}: ${why}. The file was left as it is; ` +
        `restore it from a backup, or move it away (with its -wal and -shm files) to start with an empty one`,
      { cause },
    );
  }
}

/** Runs `work` as one transaction that is on the disk, not only on its way there, when this returns. */
export function durably(db: Database, work: () => void): void {
  db.run("PRAGMA synchronous = FULL");
  try {
    db.transaction(work).immediate();
  } finally {
    db.run("PRAGMA synchronous = NORMAL");
  }
}

function migrate(db: Database, schemas: readonly Schema[]): void {
  db.run("CREATE TABLE IF NOT EXISTS schema_version (name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT");
  const read = db.query<{ version: number }, [string]>("SELECT version FROM schema_version WHERE name = ?");
  const write = db.query("INSERT OR REPLACE INTO schema_version (name, version) VALUES (?, ?)");
  for (const schema of schemas) {
    const have = read.get(schema.name)?.version ?? 0;
    if (have > schema.versions.length) {
      throw new Error(`it was written by a newer Berth (${schema.name} is at version ${have})`);
    }
    if (have === schema.versions.length) continue;
    db.transaction(() => {
      for (const sql of schema.versions.slice(have)) db.run(sql);
      write.run(schema.name, schema.versions.length);
    }).immediate();
  }
}
