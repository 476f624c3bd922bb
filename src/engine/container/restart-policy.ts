/** Restart policies, Docker's and those that look at the health: whether and when a container is started again. */
import type { RestartPolicy, RestartPolicyName } from "#api/types/container-config.ts";
import type { StateRecord } from "./record.ts";

const FIRST_DELAY = 100;
const LONGEST_DELAY = 60_000;
/** A run of at least this long starts the doubling anew. */
const STEADY_RUN = 10_000;

interface Rules {
  /** What an exit of the container's own leads to. */
  exit: "no" | "always" | "unless-stopped" | "on-failure";
  /** Whether a container that becomes unhealthy is ended and started again. */
  unhealthy: boolean;
}

const RULES: Readonly<Record<RestartPolicyName, Rules>> = {
  "": { exit: "no", unhealthy: false },
  no: { exit: "no", unhealthy: false },
  always: { exit: "always", unhealthy: false },
  "unless-stopped": { exit: "unless-stopped", unhealthy: false },
  "on-failure": { exit: "on-failure", unhealthy: false },
  "on-unhealthy": { exit: "no", unhealthy: true },
  "always+unhealthy": { exit: "always", unhealthy: true },
  "unless-stopped+unhealthy": { exit: "unless-stopped", unhealthy: true },
  "on-failure+unhealthy": { exit: "on-failure", unhealthy: true },
};

/** `state` is that of after the exit. */
export function shouldRestart(policy: RestartPolicy, state: StateRecord): boolean {
  if (state.stoppedByUser) return false;
  const { exit, unhealthy } = RULES[policy.Name];
  if (unhealthy && state.endedUnhealthy === true) return mayRetry(policy, state);
  if (exit === "on-failure") return state.exitCode !== 0 && mayRetry(policy, state);
  return exit !== "no";
}

/** Whether the policy can end a container because of its health. */
export function looksAtHealth(policy: RestartPolicy): boolean {
  return RULES[policy.Name].unhealthy;
}

/** Whether a container that is unhealthy now is to be ended, because it would be started again. */
export function restartsUnhealthy(policy: RestartPolicy, state: StateRecord): boolean {
  return looksAtHealth(policy) && mayRetry(policy, state);
}

/** Whether a daemon that starts brings up a container that it found stopped. */
export function shouldStartWithDaemon(policy: RestartPolicy, state: StateRecord): boolean {
  if (state.status === "created") return false;
  // The restart was decided on and counted before the last daemon died.
  if (state.status === "restarting") return !state.stoppedByUser;
  return RULES[policy.Name].exit === "always" || shouldRestart(policy, state);
}

/** Milliseconds to wait: 100, doubled each time up to a minute. `ran` is how long the last run took, in milliseconds. */
export function nextDelay(previous: number, ran: number): number {
  if (previous === 0 || ran >= STEADY_RUN) return FIRST_DELAY;
  return Math.min(previous * 2, LONGEST_DELAY);
}

function mayRetry({ MaximumRetryCount }: RestartPolicy, { restartCount }: StateRecord): boolean {
  return MaximumRetryCount === 0 || restartCount < MaximumRetryCount;
}
