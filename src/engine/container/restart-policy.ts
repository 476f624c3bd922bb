/** Docker's restart policies: whether and when a container that ended is started again. */
import type { RestartPolicy } from "#api/types/container.ts";
import type { StateRecord } from "./record.ts";

const FIRST_DELAY = 100;
const LONGEST_DELAY = 60_000;
/** A run of at least this long starts the doubling anew. */
const STEADY_RUN = 10_000;

/** `state` is that of after the exit. */
export function shouldRestart(policy: RestartPolicy, state: StateRecord): boolean {
  if (state.stoppedByUser) return false;
  switch (policy.Name) {
    case "always":
    case "unless-stopped":
      return true;
    case "on-failure":
      return state.exitCode !== 0 && (policy.MaximumRetryCount === 0 || state.restartCount < policy.MaximumRetryCount);
    default:
      return false;
  }
}

/** Whether a daemon that starts brings up a container that it found stopped. */
export function shouldStartWithDaemon(policy: RestartPolicy, state: StateRecord): boolean {
  if (state.status === "created") return false;
  // The restart was decided on and counted before the last daemon died.
  if (state.status === "restarting") return !state.stoppedByUser;
  return policy.Name === "always" || shouldRestart(policy, state);
}

/** Milliseconds to wait: 100, doubled each time up to a minute. `ran` is how long the last run took, in milliseconds. */
export function nextDelay(previous: number, ran: number): number {
  if (previous === 0 || ran >= STEADY_RUN) return FIRST_DELAY;
  return Math.min(previous * 2, LONGEST_DELAY);
}
