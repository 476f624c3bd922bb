/** How a container's health follows from its probes: pure, moment by moment as Docker's daemon has it. */
import type { Health, HealthcheckResult } from "#api/types/container.ts";
import { parseTime } from "#lib/time.ts";
import type { HealthPlan } from "./plan.ts";

/** Results that are kept. */
const LOG_LENGTH = 5;
const HEALTHY = 0;

/** At every start of the container; the results of earlier runs stay readable. */
export function begun(before: Health | undefined): Health {
  return { Status: "starting", FailingStreak: 0, Log: before?.Log ?? [] };
}

/** Nobody looks any more (paused, ended): Docker calls that unhealthy, without an event. */
export function unwatched(before: Health): Health {
  return { ...before, Status: "unhealthy" };
}

/** `startedAt`, of the container, in nanoseconds since the epoch. */
export function probed(before: Health, plan: HealthPlan, result: HealthcheckResult, startedAt: bigint): Health {
  const Log = [...before.Log, result].slice(-LOG_LENGTH);
  if (result.ExitCode === HEALTHY) return { Status: "healthy", FailingStreak: 0, Log };
  const ran = Number((parseTime(result.Start) ?? startedAt) - startedAt) / 1e6;
  if (before.Status === "starting" && ran < plan.startPeriod) return { ...before, Log };
  const FailingStreak = before.FailingStreak + 1;
  return { Status: FailingStreak >= plan.retries ? "unhealthy" : before.Status, FailingStreak, Log };
}

/** Milliseconds to the next probe; `ran` is how long the container runs already, in milliseconds. */
export function probeDelay(health: Health, plan: HealthPlan, ran: number): number {
  const isStarting = health.Status === "starting" && ran < plan.startPeriod;
  return isStarting ? plan.startInterval : plan.interval;
}

/**
 * Of a container that an earlier daemon watched: what is left of the interval since the last result that is known. Who
 * is overdue comes at a moment by chance (`chance` from 0 to 1) soon, so that many do not come at once.
 */
export function resumedDelay(health: Health, plan: HealthPlan, startedAt: bigint, at: bigint, chance: number): number {
  const delay = probeDelay(health, plan, Number(at - startedAt) / 1e6);
  const last = parseTime(health.Log.at(-1)?.End ?? "") ?? startedAt;
  const since = Number(at - (last > startedAt ? last : startedAt)) / 1e6;
  return since < delay ? delay - since : chance * Math.min(delay, LONGEST_CATCH_UP);
}

const LONGEST_CATCH_UP = 2000;
