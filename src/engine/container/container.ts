/** A container in the daemon's memory: its record, its state, and who is interested in it. */
import type { HealthMonitor } from "#engine/health/monitor.ts";
import { EngineError } from "#lib/errors.ts";
import { AsyncLock } from "#lib/lock.ts";
import type { Console } from "#engine/runtime/console.ts";
import type { ContainerRecord, StateRecord } from "./record.ts";
import { Waits } from "./waits.ts";

/**
 * Changes of state are made under `lock`; reading needs none. The store owns the only instance per id.
 */
export class Container {
  readonly record: ContainerRecord;
  state: StateRecord;
  readonly lock = new AsyncLock();
  readonly waits = new Waits();
  readonly console: Console;
  /** Execs that belong to the present run. */
  readonly execIds = new Set<string>();
  /** Settles when everything of the last run is cleaned up; a new start waits for it. */
  cleanup: Promise<void> = Promise.resolve();
  /** Who writes into the running container from outside; ends with the run. None rejects. */
  readonly writers = new Set<Promise<void>>();
  /** Set while a restart policy counts down. */
  restart: { timer: Timer; delay: number } | undefined;
  /** Milliseconds that the next restart waits at least, by Docker's doubling. */
  restartDelay = 0;
  /** Aborted when the present run has ended and its log is complete. */
  run: AbortController | undefined;
  /** While it runs and has a health check. */
  healthMonitor: HealthMonitor | undefined;
  /** A user's restart is between its stop and its start. */
  restartRequested = false;
  /** Found stopped by a starting daemon, though its policy wants it up. */
  startWithDaemon = false;
  /** No new work may begin on it. */
  removing = false;

  constructor(record: ContainerRecord, state: StateRecord, console: Console) {
    this.record = record;
    this.state = state;
    this.console = console;
  }

  /** Settles when nothing of the last run is under way any more: before that its files may not be mounted again. */
  async settled(): Promise<void> {
    await Promise.all([this.cleanup, ...this.writers]);
  }

  /** Throws "conflict" where it is about to go. */
  assertStartable(): void {
    if (!this.removing && this.state.status !== "dead") return;
    throw new EngineError("conflict", "container is marked for removal and cannot be started");
  }

  get id(): string {
    return this.record.id;
  }

  /** Without the leading slash. */
  get name(): string {
    return this.record.name;
  }
}
