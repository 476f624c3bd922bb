/** One client's view of the events: what was, from the history, and then what comes, without missing any between. */
import type { EventMessage } from "#api/types/event.ts";
import type { Stamped } from "./history.ts";

export interface SubscriptionOptions {
  /** Every event after this moment is given out. */
  after: bigint;
  /** None after this moment is. */
  until: bigint | undefined;
  test: (message: EventMessage) => boolean;
  /** The first `limit` events after `time`, in order; all there are where it gives fewer. */
  read: (time: bigint, limit: number) => Stamped[];
}

const PAGE = 256;
/** Events that wait in memory for a client that is slow to take them; the later ones are read back from the history. */
export const WAITING = 1024;

/** `deliver` and `end` never wait. Memory stays bounded; what falls out of the history before a client took it is lost. */
export class Subscription {
  readonly #options: SubscriptionOptions;
  #waiting: EventMessage[] = [];
  /** Time of the last event that was looked at. */
  #cursor: bigint;
  /** There may be events after the cursor that only the history has. */
  #behind = true;
  #ended = false;
  #wake = Promise.withResolvers<void>();

  constructor(options: SubscriptionOptions) {
    this.#options = options;
    this.#cursor = options.after;
  }

  deliver(event: Stamped): void {
    if (this.#behind) return;
    if (this.#waiting.length >= WAITING) {
      this.#behind = true;
      return;
    }
    this.#take(event);
    if (this.#waiting.length > 0) this.#wake.resolve();
  }

  /** What is there is still given out. */
  end(): void {
    this.#ended = true;
    this.#wake.resolve();
  }

  /** For one reader. Ends at once with `signal`, else after `end`. */
  async *events(signal: AbortSignal): AsyncGenerator<EventMessage> {
    while (!signal.aborted) {
      const waiting = this.#waiting;
      if (waiting.length > 0) {
        this.#waiting = [];
        for (const message of waiting) {
          if (signal.aborted) return;
          yield message;
        }
      } else if (this.#behind) {
        const page = this.#options.read(this.#cursor, PAGE);
        for (const event of page) this.#take(event);
        this.#behind = page.length === PAGE;
      } else if (this.#ended) {
        return;
      } else {
        await this.#wake.promise;
        this.#wake = Promise.withResolvers();
      }
    }
  }

  #take({ time, message }: Stamped): void {
    this.#cursor = time;
    const { until, test } = this.#options;
    if ((until === undefined || time <= until) && test(message)) this.#waiting.push(message);
  }
}
