/** Keeps the last events in the database, so that they can be asked for after the daemon has gone. */
import type { Database } from "bun:sqlite";
import type { EventMessage } from "#api/types/event.ts";
import type { Schema } from "#store/database.ts";

export const eventSchema: Schema = {
  name: "event",
  versions: [
    `CREATE TABLE event (
       number INTEGER PRIMARY KEY,
       time TEXT NOT NULL,       -- nanoseconds since the epoch, 20 digits, so that text sorts as time
       message TEXT NOT NULL     -- EventMessage as JSON
     ) STRICT;
     CREATE INDEX event_time ON event (time)`,
  ],
};

/** An event and its exact time, which no other event has. */
export interface Stamped {
  time: bigint;
  message: EventMessage;
}

export class EventHistory {
  readonly #db: Database;
  readonly #keep: number;

  /** `keep` is how many events are held; older ones go. */
  constructor(db: Database, keep: number) {
    this.#db = db;
    this.#keep = keep;
  }

  /** In one transaction. Throws where the database cannot take them (a full disk); then none is held. */
  append(events: readonly Stamped[]): void {
    const insert = this.#db.query("INSERT INTO event (time, message) VALUES (?, ?)");
    const trim = this.#db.query("DELETE FROM event WHERE number <= (SELECT max(number) FROM event) - ?");
    this.#db.transaction(() => {
      for (const { time, message } of events) {
        insert.run(sortable(time), JSON.stringify({ ...message, timeNano: Number(time) }));
      }
      trim.run(this.#keep);
    })();
  }

  /** Time of the youngest event; 0 where there is none. */
  last(): bigint {
    const row = this.#db.query<{ time: string | null }, []>("SELECT max(time) AS time FROM event").get();
    return BigInt(row?.time ?? 0);
  }

  /** The first `limit` events after that moment, in order. */
  after(time: bigint, limit: number): Stamped[] {
    return this.#db
      .query<{ time: string; message: string }, [string, number]>(
        "SELECT time, message FROM event WHERE time > ? ORDER BY time LIMIT ?",
      )
      .all(sortable(time), limit)
      .map((row) => {
        const exact = BigInt(row.time);
        return { time: exact, message: { ...(JSON.parse(row.message) as EventMessage), timeNano: exact } };
      });
  }
}

function sortable(time: bigint): string {
  return (time < 0n ? 0n : time).toString().padStart(20, "0");
}
