/** Announces what happens to containers, images, networks and volumes, now and (within bounds) later. */
import type { Database } from "bun:sqlite";
import type { EventMessage, EventType } from "#api/types/event.ts";
import { EngineError } from "#lib/errors.ts";

/** Values of each filter: type, event, container, image, network, volume, label, daemon, scope. */
export type EventFilters = Readonly<Record<string, readonly string[]>>;

export interface EventQuery {
  /** Nanoseconds since the epoch, inclusive. Without `since` nothing of the past is sent. */
  since?: bigint;
  /** Ends the subscription once this moment has passed. */
  until?: bigint;
  filters?: EventFilters;
}

export class EventBus {
  constructor(db: Database, options?: { keep?: number }) {
    throw new EngineError("not-implemented", `events ${db.filename} ${String(options?.keep)}`);
  }
  /** Costs microseconds: subscribers see it at once, the database within 100 ms. */
  declare emit: (type: EventType, action: string, id: string, attributes: Record<string, string>) => void;
  /** Ends with the signal, at `until`, or with `close`. Throws "invalid" for an unknown filter. */
  declare subscribe: (query: EventQuery, signal: AbortSignal) => AsyncIterable<EventMessage>;
  /** Writes what is pending. */
  declare flush: () => void;
  /** Flushes and ends all subscriptions. */
  declare close: () => void;
}
