/** The containers that `stats` shows, each kept fresh by a stream of its own. */
import type { ContainerStats } from "#api/types/container-stats.ts";
import { type Connection, jsonLines } from "../connection.ts";
import type { StatsEntry } from "./stats-row.ts";

/** Milliseconds without a sample after which figures count as gone. */
const PATIENCE = 2000;

export class StatsBoard {
  readonly #daemon: Connection;
  readonly #stream: boolean;
  readonly #signal: AbortSignal;
  readonly #entries = new Map<string, StatsEntry>();

  /** Without `stream` every container gives one sample; all streams end with the signal. */
  constructor(daemon: Connection, stream: boolean, signal: AbortSignal) {
    this.#daemon = daemon;
    this.#stream = stream;
    this.#signal = signal;
  }

  /** In the order in which they came. */
  get entries(): StatsEntry[] {
    return [...this.#entries.values()];
  }

  /** Resolves with the first sample, or when none comes in time. Rejects where the daemon refuses. One that is there stays. */
  async add(container: string): Promise<void> {
    if (this.#entries.has(container)) return;
    const entry: StatsEntry = { container, sample: undefined, invalid: false };
    this.#entries.set(container, entry);
    const first = Promise.withResolvers<void>();
    void this.#follow(entry, first.resolve).then(first.resolve, first.reject);
    await first.promise;
  }

  remove(container: string): void {
    this.#entries.delete(container);
  }

  async #follow(entry: StatsEntry, settled: () => void): Promise<void> {
    const gone = () => {
      entry.invalid = true;
      settled();
    };
    let timer: Timer | undefined;
    try {
      const path = `/containers/${encodeURIComponent(entry.container)}/stats`;
      const query = { stream: this.#stream ? "1" : "0" };
      const response = await this.#daemon.send("GET", path, { query, signal: this.#signal });
      timer = setTimeout(gone, PATIENCE);
      for await (const line of jsonLines(response)) {
        clearTimeout(timer);
        entry.sample = JSON.parse(line) as ContainerStats;
        entry.invalid = false;
        settled();
        if (!this.#stream) return;
        timer = setTimeout(gone, PATIENCE);
      }
      entry.invalid = true;
    } catch (error) {
      entry.invalid = true;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}
