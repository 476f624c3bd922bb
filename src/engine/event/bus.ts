/** Announces what happens to containers, images, networks and volumes, now and (within bounds) later. */
import type { Database } from "bun:sqlite";
import type { EventMessage, EventType } from "#api/types/event.ts";
import { now } from "#lib/time.ts";
import type { Schema } from "#store/database.ts";
import { type EventFilters, eventTest } from "./filter.ts";

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

export interface EventQuery {
  /** Nanoseconds since the epoch, inclusive. Without `since` (or `until` in the past) nothing of the past is sent. */
  since?: bigint;
  /** Ends the subscription once this moment has passed. */
  until?: bigint;
  filters?: EventFilters;
}

interface Stamped {
  time: bigint;
  message: EventMessage;
}

/** Longest that a crash of the daemon can reach back into the history, in milliseconds. */
const WRITE_DELAY = 100;

export class EventBus {
  readonly #db: Database;
  readonly #keep: number;
  readonly #subscribers = new Set<(event: Stamped) => void>();
  readonly #ends = new Set<() => void>();
  #pending: Stamped[] = [];
  #timer: Timer | undefined;
  #last = 0n;

  /** `keep` is how many events the history holds. */
  constructor(db: Database, options: { keep?: number } = {}) {
    this.#db = db;
    this.#keep = options.keep ?? 2048;
  }

  /** How many subscriptions are open. */
  get listeners(): number {
    return this.#subscribers.size;
  }

  /** Costs microseconds: subscribers see it at once, the database within 100 ms. */
  emit(type: EventType, action: string, id: string, attributes: Record<string, string>): void {
    const time = now() > this.#last ? now() : this.#last + 1n;
    this.#last = time;
    const message: EventMessage = {
      ...(type === "container" && { status: action, id, from: attributes["image"] ?? "" }),
      ...(type === "image" && { status: action, id }),
      Type: type,
      Action: action,
      Actor: { ID: id, Attributes: attributes },
      scope: "local",
      time: Number(time / 1_000_000_000n),
      timeNano: Number(time),
    };
    const event = { time, message };
    for (const deliver of this.#subscribers) deliver(event);
    this.#pending.push(event);
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.flush(), WRITE_DELAY);
    this.#timer.unref();
  }

  /** Ends with the signal, at `until`, or with `close`. Throws "invalid" for an unknown filter. */
  subscribe(query: EventQuery, signal: AbortSignal): AsyncIterable<EventMessage> {
    const test = eventTest(query.filters ?? {});
    // The subscription begins now, not when the first event is asked for: what comes between must not be missed.
    const queue: EventMessage[] = this.#history(query).filter(test);
    let wake = Promise.withResolvers<void>();
    let ended = query.until !== undefined && query.until <= now();
    const deliver = ({ time, message }: Stamped): void => {
      if (!test(message) || (query.until !== undefined && time > query.until)) return;
      queue.push(message);
      wake.resolve();
    };
    const end = (): void => {
      ended = true;
      wake.resolve();
    };
    let timer: Timer | undefined;
    const release = (): void => {
      clearTimeout(timer);
      this.#subscribers.delete(deliver);
      this.#ends.delete(end);
      signal.removeEventListener("abort", end);
    };
    if (!ended) {
      this.#subscribers.add(deliver);
      this.#ends.add(end);
      signal.addEventListener("abort", end, { once: true });
      if (query.until !== undefined) timer = setTimeout(end, Number((query.until - now()) / 1_000_000n) + 1);
      timer?.unref();
    }
    async function* events(): AsyncGenerator<EventMessage> {
      try {
        while (!signal.aborted) {
          const next = queue.shift();
          if (next !== undefined) {
            yield next;
          } else if (ended) {
            return;
          } else {
            await wake.promise;
            wake = Promise.withResolvers();
          }
        }
      } finally {
        release();
      }
    }
    return events();
  }

  /** Writes what is pending. What a full disk refuses stays pending, as far as the history would hold it. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#pending.length === 0) return;
    const events = this.#pending;
    this.#pending = [];
    const insert = this.#db.query("INSERT INTO event (time, message) VALUES (?, ?)");
    const trim = this.#db.query("DELETE FROM event WHERE number <= (SELECT max(number) FROM event) - ?");
    const write = this.#db.transaction(() => {
      for (const { time, message } of events) insert.run(sortable(time), JSON.stringify(message));
      trim.run(this.#keep);
    });
    try {
      write();
    } catch {
      this.#pending = [...events, ...this.#pending].slice(-this.#keep);
    }
  }

  /** Flushes and ends all subscriptions. */
  close(): void {
    this.flush();
    for (const end of this.#ends) end();
  }

  #history({ since, until }: EventQuery): EventMessage[] {
    if (since === undefined && (until === undefined || until > now())) return [];
    this.flush();
    return this.#db
      .query<{ message: string }, [string, string]>(
        "SELECT message FROM event WHERE time >= ? AND time <= ? ORDER BY number",
      )
      .all(sortable(since ?? 0n), sortable(until ?? now()))
      .map(({ message }) => JSON.parse(message) as EventMessage);
  }
}

function sortable(time: bigint): string {
  return time.toString().padStart(20, "0");
}
