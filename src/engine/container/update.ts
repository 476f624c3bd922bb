/** `update`: changes what a container may use, how it restarts and what it is joined to, while it runs. */
import type { Resources } from "#api/types/container-config.ts";
import type { ContainerUpdateBody, ContainerUpdateResponse } from "#api/types/container.ts";
import { applyChange } from "#engine/change/apply.ts";
import { type ChangePlan, planChanges } from "#engine/change/plan.ts";
import { validateResources } from "#engine/spec/resources-validate.ts";
import { validateRestartPolicy } from "#engine/spec/validate.ts";
import { EngineError, errorKind, errorMessage } from "#lib/errors.ts";
import { MountSession } from "#linux/container-mounts.ts";
import { SyscallError } from "#linux/syscall-error.ts";
import type { Container } from "./container.ts";
import { announce, type EngineContext } from "./context.ts";
import { dropViews, viewImages } from "./image-mounts.ts";
import { isRunning } from "./record.ts";
import { askedResources, mergeResources, mergeRestartPolicy } from "./update-resources.ts";

/**
 * One request is one transaction: where any part of it fails, container, host and record are as they were. A daemon
 * that dies before the answer has changed nothing either: the next one takes back what was half-done.
 *
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
    const limited = {
      ...container.record,
      hostConfig: {
        ...mergeResources(hostConfig, asked),
        RestartPolicy: mergeRestartPolicy(hostConfig, body.RestartPolicy),
      },
    };
    await carryOut(context, container, planChanges(context, container, limited, body.Changes ?? {}), asked);
  } catch (error) {
    const message = `Cannot update container ${container.id}: ${errorMessage(error)}`;
    // What the kernel does not find is no container that is not there.
    const kind = error instanceof SyscallError && error.kind === "not-found" ? "internal" : errorKind(error);
    throw new EngineError(kind, message, { cause: error });
  }
  announce(context, container, "update");
  return { Warnings: warnings.length === 0 ? null : warnings };
}

async function carryOut(
  context: EngineContext,
  container: Container,
  plan: ChangePlan,
  asked: Resources,
): Promise<void> {
  const { containers, volumes, journal, log } = context;
  const { id } = container;
  const before = { unsetEnv: [], ...container.record };
  await using session = new MountSession();
  const undo = new AsyncDisposableStack();
  const change = { container, plan, asked, session, undo };
  let afterwards: (() => Promise<void>) | undefined;
  try {
    undo.defer(await viewImages(context, id, plan.mounts.add));
    if (isRunning(container.state)) afterwards = await applyChange(context, change);
    journal.finish(id, () => {
      volumes.acquire(id, plan.mounts.add);
      volumes.keepOnly(id, plan.next.mounts);
      containers.replaceRecord(container, plan.next);
    });
  } catch (error) {
    Object.assign(container.record, before);
    try {
      await undo.disposeAsync();
      journal.finish(id);
    } catch (failure) {
      // What is written down stays so: the next daemon takes it back.
      log.error({ container: id, error: errorMessage(failure) }, "cannot take back a change");
    }
    throw error;
  }
  await afterwards?.();
  await dropViews(context, plan.mounts.remove);
}

function assertKept({ removing, state }: Container): void {
  if (!removing && state.status !== "dead") return;
  throw new EngineError("internal", 'container is marked for removal and cannot be "update"');
}
