/** Announces what happens to containers, images, networks and volumes, now and (within bounds) later. */
import type { Database } from "bun:sqlite";
import type { EventMessage, EventType } from "#api/types/event.ts";
import { now } from "#lib/time.ts";
import { type EventFilters, eventTest } from "./filter.ts";
import { EventHistory, type Stamped } from "./history.ts";
import { Subscription } from "./subscription.ts";

export interface EventQuery {
  /** Nanoseconds since the epoch, inclusive. With it, or with `until`, what is past is sent first. */
  since?: bigint;
  /** Inclusive; ends the subscription once this moment has passed. */
  until?: bigint;
  filters?: EventFilters;
}

/** Longest that a crash of the daemon can reach back into the history, in milliseconds. */
const WRITE_DELAY = 100;
const KEPT_EVENTS = 4096;
/** What a timer can hold, in milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;

export class EventBus {
  readonly #history: EventHistory;
  readonly #keep: number;
  readonly #subscriptions = new Set<Subscription>();
  #pending: Stamped[] = [];
  #timer: Timer | undefined;
  /** Time of the last event; the next one is later, also where the clock was set back. */
  #last: bigint;
  #total = 0;
  #closed = false;

  /** `keep` is how many events the history holds. */
  constructor(db: Database, options: { keep?: number } = {}) {
    this.#keep = options.keep ?? KEPT_EVENTS;
    this.#history = new EventHistory(db, this.#keep);
    this.#last = this.#history.last();
  }

  /** How many events there were since the daemon started. */
  get total(): number {
    return this.#total;
  }

  /** How many subscriptions are open. */
  get listeners(): number {
    return this.#subscriptions.size;
  }

  /**
   * Costs microseconds: subscribers see it at once, the database within 100 ms. A `passing` one is not written down, and
   * lost for who is slow: what happens every second would drive out of the history what one looks for there.
   */
  emit(
    type: EventType,
    action: string,
    id: string,
    attributes: Record<string, string>,
    options: { passing?: boolean } = {},
  ): void {
    const moment = now();
    const time = moment > this.#last ? moment : this.#last + 1n;
    this.#last = time;
    this.#total++;
    const image = attributes["image"];
    const message: EventMessage = {
      ...((type === "container" || type === "image") && { status: action, ...(id !== "" && { id }) }),
      ...(type === "container" && image && { from: image }),
      Type: type,
      Action: action,
      Actor: { ID: id, Attributes: attributes },
      scope: "local",
      time: Number(time / 1_000_000_000n),
      timeNano: time,
    };
    const event = { time, message };
    for (const subscription of this.#subscriptions) subscription.deliver(event);
    if (options.passing === true) return;
    this.#pending.push(event);
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.flush(), WRITE_DELAY);
    this.#timer.unref();
  }

  /**
   * Ends with the signal, at `until`, or with `close`. The messages' `timeNano` is exact, a bigint. A reader may be as
   * slow as it likes; it misses what is no longer among the kept events when it comes to it.
   * Throws "invalid" for an unknown filter.
   */
  subscribe({ since, until, filters = {} }: EventQuery, signal: AbortSignal): AsyncIterable<EventMessage> {
    // The subscription begins now, not when the first event is asked for: what comes between must not be missed.
    const subscription = new Subscription({
      after: since !== undefined ? since - 1n : until !== undefined ? -1n : this.#last,
      until,
      test: eventTest(filters),
      read: (time, limit) => this.#read(time, limit),
    });
    const end = (): void => subscription.end();
    this.#subscriptions.add(subscription);
    signal.addEventListener("abort", end, { once: true });
    const timer = until === undefined ? undefined : whenPassed(until, end);
    const release = (): void => {
      timer?.stop();
      this.#subscriptions.delete(subscription);
      signal.removeEventListener("abort", end);
    };
    async function* events(): AsyncGenerator<EventMessage> {
      try {
        yield* subscription.events(signal);
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
    try {
      this.#history.append(events);
    } catch {
      this.#pending = [...events, ...this.#pending].slice(-this.#keep);
    }
  }

  /** Flushes and ends all subscriptions. */
  close(): void {
    this.flush();
    this.#closed = true;
    for (const subscription of this.#subscriptions) subscription.end();
  }

  #read(time: bigint, limit: number): Stamped[] {
    if (this.#closed) return [];
    this.flush();
    const page = this.#history.after(time, limit);
    if (page.length === limit) return page;
    const rest = this.#pending.filter((event) => event.time > (page.at(-1)?.time ?? time));
    return [...page, ...rest].slice(0, limit);
  }
}

/** Calls `then` once that moment has passed; at once where it has. */
function whenPassed(moment: bigint, then: () => void): { stop: () => void } {
  let timer: Timer | undefined;
  const look = (): void => {
    const left = Number((moment - now()) / 1_000_000n) + 1;
    if (left <= 1 && moment < now()) return then();
    timer = setTimeout(look, Math.min(Math.max(left, 1), LONGEST_TIMER));
    timer.unref();
  };
  look();
  return { stop: () => clearTimeout(timer) };
}
