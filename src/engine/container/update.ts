/** `update`: changes what a container may use, how it restarts and what it is joined to, while it runs. */
import type { ContainerUpdateBody, ContainerUpdateResponse } from "#api/types/container.ts";
import { validateResources } from "#engine/spec/resources-validate.ts";
import { validateRestartPolicy } from "#engine/spec/validate.ts";
import { EngineError, errorKind, errorMessage } from "#lib/errors.ts";
import type { Container } from "./container.ts";
import { announce, type EngineContext } from "./context.ts";
import { changeLimits } from "./live-limits.ts";
import type { ContainerRecord } from "./record.ts";
import { isRunning } from "./record.ts";
import { askedResources, asksForLimits, mergeResources, mergeRestartPolicy } from "./update-resources.ts";

/**
 * One request is one transaction: where any part of it fails, container, host and record are as they were.
 * Throws kind "invalid" for what no container could have, else an error that opens with `Cannot update container`.
 */
export async function updateContainer(
  context: EngineContext,
  reference: string,
  body: ContainerUpdateBody,
): Promise<ContainerUpdateResponse> {
  const asked = askedResources(body);
  if (body.RestartPolicy) validateRestartPolicy(body.RestartPolicy, false);
  const warnings = validateResources(asked, context.host, true);
  const container = context.containers.get(reference);
  using _ = await container.lock.acquire();
  try {
    assertKept(container);
    const { hostConfig } = container.record;
    const next: ContainerRecord = {
      ...container.record,
      hostConfig: {
        ...mergeResources(hostConfig, asked),
        RestartPolicy: mergeRestartPolicy(hostConfig, body.RestartPolicy),
      },
    };
    await using undo = new AsyncDisposableStack();
    if (isRunning(container.state) && asksForLimits(asked)) {
      undo.defer(await changeLimits(context, container.id, next.hostConfig, asked));
    }
    context.containers.replaceRecord(container, next);
    undo.move();
  } catch (error) {
    const message = `Cannot update container ${container.id}: ${errorMessage(error)}`;
    throw new EngineError(errorKind(error), message, { cause: error });
  }
  announce(context, container, "update");
  return { Warnings: warnings.length === 0 ? null : warnings };
}

function assertKept({ removing, state }: Container): void {
  if (!removing && state.status !== "dead") return;
  throw new EngineError("internal", 'container is marked for removal and cannot be "update"');
}
