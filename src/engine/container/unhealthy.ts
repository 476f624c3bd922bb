/** Ends a container that became unhealthy, where its policy then starts it again. */
import type { ContainerConfig, HostConfig } from "#api/types/container-config.ts";
import { healthPlan } from "#engine/health/plan.ts";
import { errorMessage } from "#lib/errors.ts";
import type { Container } from "./container.ts";
import { type EngineContext, saveState } from "./context.ts";
import { isRunning } from "./record.ts";
import { looksAtHealth, restartsUnhealthy } from "./restart-policy.ts";
import { endContainer, stopTerms } from "./stop.ts";

/**
 * Sends the stop signal, and SIGKILL after the container's stop timeout; the exit then does as the policy says. Nothing
 * happens where the policy wants no restart (any more), or where the container is being ended already. Never rejects.
 */
export async function endUnhealthy(context: EngineContext, container: Container): Promise<void> {
  try {
    using _ = await container.lock.acquire();
    const { state, record, removing } = container;
    if (!isRunning(state) || removing || state.stoppedByUser || state.endedUnhealthy === true) return;
    if (!restartsUnhealthy(record.hostConfig.RestartPolicy, state)) return;
    // A daemon that dies before the exit leaves word to the next one.
    state.endedUnhealthy = true;
    container.healthMonitor?.unwatch();
    saveState(context, container);
    context.log.warn({ container: container.id }, "an unhealthy container is restarted");
    const { signal, timeout } = stopTerms(container);
    void endContainer(context, container, signal, timeout).gone;
  } catch (error) {
    context.log.error({ container: container.id, error: errorMessage(error) }, "cannot restart an unhealthy container");
  }
}

/** Warnings for a policy that waits for what can never be. */
export function checkHealthRestart(config: ContainerConfig, { RestartPolicy }: HostConfig): string[] {
  if (!looksAtHealth(RestartPolicy) || healthPlan(config) !== undefined) return [];
  return [
    `The restart policy '${RestartPolicy.Name}' looks at the health of the container, which has no health check.`,
  ];
}
