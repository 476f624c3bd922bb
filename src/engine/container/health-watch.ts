/** Keeps a health monitor on every running container that has a check, and its state in the record. */
import type { Health } from "#api/types/container.ts";
import { type Clock, HealthMonitor } from "#engine/health/monitor.ts";
import { healthPlan } from "#engine/health/plan.ts";
import { runProbe } from "#engine/health/probe.ts";
import { begun } from "#engine/health/state.ts";
import { now, parseTime, settledWithin } from "#lib/time.ts";
import type { Container } from "./container.ts";
import { announce, type EngineContext, saveState } from "./context.ts";

const systemClock: Clock = {
  now,
  after: (milliseconds, work) => {
    const timer = setTimeout(work, milliseconds).unref();
    return () => clearTimeout(timer);
  },
};

/**
 * How long the results of a container whose health stays the same are kept in memory only, in milliseconds: a daemon
 * that is killed loses no more of the log than this.
 */
const WRITE_INTERVAL = 30_000;

/** In milliseconds. */
const CLOSE_TIMEOUT = 2000;

export class HealthWatch {
  readonly #context: EngineContext;
  readonly #unhealthy: (container: Container) => void;
  readonly #counts = { checks: 0, failed: 0 };

  /** `unhealthy` is called after each probe that leaves a container unhealthy. */
  constructor(context: EngineContext, unhealthy: (container: Container) => void) {
    this.#context = context;
    this.#unhealthy = unhealthy;
  }

  /** The health of a container that starts now, to be written down with its new state. */
  static fresh(container: Container): { health?: Health } {
    return healthPlan(container.record.config) === undefined ? {} : { health: begun(container.state.health) };
  }

  /** Probes since the daemon started. */
  get counts(): Readonly<{ checks: number; failed: number }> {
    return this.#counts;
  }

  /** It runs, and its state says so. */
  begin(container: Container): void {
    this.#monitor(container)?.watch();
  }

  /** It ran before this daemon did. */
  adopt(container: Container): void {
    const monitor = this.#monitor(container);
    if (container.state.status === "running") monitor?.takeOver(Math.random());
  }

  /** Its process is gone; the caller saves the state. */
  end(container: Container): void {
    container.healthMonitor?.unwatch();
    container.healthMonitor = undefined;
  }

  /** Writes down what is known, for the next daemon. Settles when no probe runs, save one that nothing can kill. */
  async close(): Promise<void> {
    const watched = this.#context.containers.all().filter(({ healthMonitor }) => healthMonitor !== undefined);
    for (const container of watched) saveState(this.#context, container);
    const closed = Promise.all(watched.map(async ({ healthMonitor }) => healthMonitor?.close()));
    await settledWithin(closed, CLOSE_TIMEOUT);
  }

  #monitor(container: Container): HealthMonitor | undefined {
    const plan = healthPlan(container.record.config);
    if (plan === undefined) return undefined;
    const { state } = container;
    const health = (state.health ??= begun(undefined));
    let written = performance.now();
    container.healthMonitor = new HealthMonitor(
      {
        plan,
        startedAt: parseTime(state.startedAt) ?? now(),
        health,
        probe: (signal) => runProbe(this.#context, container, plan, signal),
        probed: (after, before) => {
          this.#counts.checks++;
          if (after.Log?.at(-1)?.ExitCode !== 0) this.#counts.failed++;
          container.state.health = after;
          if (isNews(after, before) || performance.now() - written > WRITE_INTERVAL) {
            saveState(this.#context, container);
            written = performance.now();
          }
          if (after.Status !== before.Status) announce(this.#context, container, `health_status: ${after.Status}`);
          if (after.Status === "unhealthy") this.#unhealthy(container);
        },
        unwatched: (after) => {
          container.state.health = after;
        },
      },
      systemClock,
    );
    return container.healthMonitor;
  }
}

/** Whether a daemon that dies now would leave the next one with a wrong idea. */
function isNews(after: Health, before: Health): boolean {
  if (after.Status !== before.Status) return true;
  return after.Status !== "unhealthy" && after.FailingStreak !== before.FailingStreak;
}
