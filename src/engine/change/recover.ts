/** Takes back the changes of running containers that a crash cut off: nobody was told that they were made. */
import { configuredNetworks } from "#engine/container/configured-networks.ts";
import type { Container } from "#engine/container/container.ts";
import type { EngineContext } from "#engine/container/context.ts";
import { errorMessage } from "#lib/errors.ts";
import { restoreLimits } from "#linux/cgroup-limits.ts";
import { findMount, MountSession } from "#linux/container-mounts.ts";
import { hostTexts, refreshHostFiles } from "./host-files.ts";
import type { ChangeIntent } from "./journal.ts";
import { attach, detachById, readyMount, targetOf } from "./live-mounts.ts";

/** Before the networks are recovered: they bring the kernel to what is written down of ports. */
export function restorePorts({ journal, networks, containers }: EngineContext): void {
  for (const { container, intent } of journal.pending()) {
    if (intent.ports !== undefined && isOfRun(containers.find(container), intent))
      networks.restorePorts(container, intent.ports);
  }
}

/**
 * When containers are adopted and networks recovered. Never rejects: what cannot be brought back is logged, and stays in
 * the journal for the next start to try again (every step is idempotent).
 */
export async function undoChanges(context: EngineContext, living: ReadonlySet<string>): Promise<void> {
  const { journal, containers, volumes, log } = context;
  for (const { container: id, intent } of journal.pending()) {
    const container = containers.find(id);
    const steps = isOfRun(container, intent) && living.has(id) ? backSteps(context, container, intent) : [];
    steps.push(() => volumes.keepOnly(id, container?.record.mounts ?? [], intent.volumes));
    let complete = true;
    log.info({ container: id }, "an unfinished change of a container is taken back");
    for (const step of steps) {
      try {
        await step();
      } catch (error) {
        complete = false;
        log.error({ container: id, error: errorMessage(error) }, "cannot take back an unfinished change");
      }
    }
    if (complete) journal.finish(id);
  }
}

/** An entry that stayed is none of a run that began since: the kernel's numbers may mean other mounts there. */
function isOfRun(container: Container | undefined, { startedAt }: ChangeIntent): container is Container {
  return container !== undefined && (startedAt === undefined || startedAt === container.state.startedAt);
}

function backSteps(context: EngineContext, container: Container, intent: ChangeIntent): (() => void | Promise<void>)[] {
  const { networks } = context;
  const { record, id } = container;
  const texts = intent.texts ?? hostTexts(context, id);
  return [
    () => restoreLimits(intent.limits ?? {}),
    () => undoMounts(context, container, intent),
    async () => {
      const sandbox = networks.sandbox(id);
      if (sandbox === undefined || sandbox.sharedWith !== undefined) return;
      const settings = record.networkingConfig.EndpointsConfig ?? {};
      const wanted = new Map(configuredNetworks(record).map((one) => [nameOf(context)(one), settings[one] ?? {}]));
      const joined = new Set(sandbox.endpoints.map(({ networkName }) => networkName));
      for (const [name, own] of wanted) if (!joined.has(name)) await networks.connect(name, id, own);
      for (const name of joined) if (!wanted.has(name)) await networks.disconnect(name, id);
    },
    () => void refreshHostFiles(context, record, texts),
  ];
}

async function undoMounts(context: EngineContext, container: Container, intent: ChangeIntent): Promise<void> {
  const target = targetOf(container);
  await using session = new MountSession();
  for (const id of intent.mounts.toReversed()) await detachById(session, target, id);
  for (const mount of container.record.mounts) {
    if (!intent.unmounts.includes(mount.destination)) continue;
    if (findMount(target.pid, mount.destination) !== undefined) continue;
    await attach(context, session, target, await readyMount(context, session, target, mount));
  }
}

/** Configurations name networks by id too. */
function nameOf({ networks }: EngineContext): (reference: string) => string {
  return (reference) => {
    try {
      return networks.inspect(reference).Name;
    } catch {
      return reference;
    }
  };
}
