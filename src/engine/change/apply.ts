/** Does to a running container what a change asks for, with the undo of each step. */
import type { Resources } from "#api/types/container-config.ts";
import type { Container } from "#engine/container/container.ts";
import type { EngineContext } from "#engine/container/context.ts";
import { changeLimits, limitsOf } from "#engine/container/live-limits.ts";
import { announceMounts } from "#engine/container/mount-events.ts";
import { asksForLimits } from "#engine/container/update-resources.ts";
import { volumesOf } from "#engine/volume/mount.ts";
import { refuseProcMounts } from "#engine/volume/proc-places.ts";
import { EngineError } from "#lib/errors.ts";
import type { MountSession } from "#linux/container-mounts.ts";
import type { MountInfo } from "#linux/mountinfo.ts";
import { isAlive } from "#linux/process.ts";
import { type HostTexts, hostTexts, refreshHostFiles } from "./host-files.ts";
import type { ChangeIntent } from "./journal.ts";
import { attach, detach, letGo, makeSources, readyMount, type Target, targetOf } from "./live-mounts.ts";
import type { ChangePlan } from "./plan.ts";

export interface Change {
  container: Container;
  plan: ChangePlan;
  /** The limits among it. */
  asked: Resources;
  /** Lives longer than `undo`. */
  session: MountSession;
  undo: AsyncDisposableStack;
}

/**
 * The caller holds the container's lock, disposes of `undo` where anything fails, and ends the journal's entry when all
 * is done or undone. Answers what is left for then. What can be refused, a busy mount or a taken port, comes before
 * what can hardly fail.
 */
export async function applyChange(context: EngineContext, change: Change): Promise<() => Promise<void>> {
  const { plan, asked, undo } = change;
  const { id, state } = change.container;
  // It may have ended just now: nobody else must be taken for it.
  if (!isAlive(state.pid, state.pidStartTime)) throw new EngineError("conflict", `container ${id} is not running`);
  const { journal, networks } = context;
  const { next, ports, files } = plan;
  const target = targetOf(change.container);
  const ownPorts = networks.publishedPorts(id);
  const intent: ChangeIntent = {
    startedAt: state.startedAt,
    mounts: [],
    unmounts: plan.mounts.remove.map(({ destination }) => destination),
    volumes: plan.mounts.add.flatMap(({ volume }) =>
      volume === undefined || context.volumes.has(volume.name) ? [] : [volume.name],
    ),
    ...(asksForLimits(asked) && { limits: limitsOf(id, next.hostConfig) }),
    ...(ownPorts && { ports: { published: ownPorts.published, ports: ownPorts.ports } }),
  };
  journal.write(id, intent);
  if (asksForLimits(asked)) undo.defer(await changeLimits(context, id, next.hostConfig, asked));
  const gone = await applyMounts(context, change, target, intent);
  const before = files ? hostTexts(context, id) : undefined;
  for (const [network, settings] of plan.networks.add) {
    await networks.connect(network, id, settings);
    undo.defer(async () => void (await networks.disconnect(network, id)));
  }
  const published =
    ports.remove.length > 0 || Object.keys(ports.add).length > 0
      ? networks.changePorts(id, { ...ports, exposed: Object.keys(next.config.ExposedPorts ?? {}) })
      : undefined;
  if (published !== undefined) undo.defer(() => published.undo());
  for (const [network, settings] of plan.networks.remove) {
    await networks.disconnect(network, id);
    undo.defer(async () => void (await networks.connect(network, id, settings)));
  }
  const tell = (texts: HostTexts) => journal.write(id, Object.assign(intent, { texts }));
  if (files) undo.defer(refreshHostFiles(context, next, before, tell));
  return async () => {
    published?.cut();
    for (const { made = [] } of plan.mounts.remove) await change.session.removeMade(target.pid, made);
    letGo(context, id, gone);
    await context.volumes.mounts.release(id, volumesOf(next.mounts));
    announceMounts(context, change.container, "unmount", plan.mounts.remove);
    announceMounts(context, change.container, "mount", plan.mounts.add);
  };
}

/** Answers what was taken off. */
async function applyMounts(
  context: EngineContext,
  { container, plan: { mounts }, session, undo }: Change,
  target: Target,
  intent: ChangeIntent,
): Promise<MountInfo[]> {
  const gone: MountInfo[] = [];
  if (mounts.add.length === 0 && mounts.remove.length === 0) return gone;
  const { volumes, journal, layout } = context;
  const before = container.record.mounts;
  refuseProcMounts(layout.rootfs(target.id), mounts.add);
  volumes.acquire(target.id, mounts.add);
  undo.defer(() => volumes.keepOnly(target.id, before, intent.volumes));
  undo.defer(() => volumes.mounts.release(target.id, volumesOf(before)));
  await volumes.mounts.hold(target.id, volumesOf(mounts.add));
  undo.defer(makeSources(mounts.add));
  await volumes.populate(target.id, mounts.add, layout.rootfs(target.id), target.map);
  for (const mount of mounts.remove) {
    const detached = await detach(session, target, mount, mounts.force);
    undo.defer(detached.undo);
    if (detached.mount !== undefined) gone.push(detached.mount);
  }
  for (const mount of mounts.add) {
    const ready = await readyMount(context, session, target, mount);
    intent.mounts.push(ready.loose.id);
    journal.write(target.id, intent);
    const attached = await attach(context, session, target, ready);
    undo.defer(attached.undo);
    if (attached.made.length > 0) mount.made = attached.made;
  }
  return gone;
}
