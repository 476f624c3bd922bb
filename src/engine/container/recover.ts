/** What a starting daemon does about the containers of the one before it. */
import { statSync } from "node:fs";
import { restorePorts, undoChanges } from "#engine/change/recover.ts";
import { FIRST_HELD, monitorFiles } from "#engine/runtime/conmon.ts";
import { type ExitRecord, UNKNOWN_EXIT } from "#engine/runtime/exits.ts";
import { findMonitor, readPid } from "#engine/runtime/monitors.ts";
import { endStrayProbes } from "#engine/health/probe-process.ts";
import { cgroupPath } from "#engine/spec/build.ts";
import { volumesOf } from "#engine/volume/mount.ts";
import { formatTime, now, parseTime } from "#lib/time.ts";
import { isFrozen, thaw } from "#linux/cgroup-group.ts";
import { isAlive, startTime } from "#linux/process.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { HealthWatch } from "./health-watch.ts";
import { type Lifecycle, MONITOR_LOST } from "./lifecycle.ts";
import { finishLog } from "./logs.ts";
import { isRunning } from "./record.ts";
import { endStrays, removeStrays } from "./remains.ts";
import { discard } from "./remove.ts";
import { shouldStartWithDaemon } from "./restart-policy.ts";

/**
 * Order matters: see who lives, end what else is at work, let the network know, adopt, remove what nobody owns, and only
 * then book what ended: what a restart policy starts must not be taken for a stray.
 */
export async function recoverContainers(context: EngineContext, lifecycle: Lifecycle): Promise<void> {
  const { containers, networks, volumes, log } = context;
  const ended: [Container, Ended][] = [];
  const alive: Container[] = [];
  const idle: Container[] = [];
  for (const container of containers.all()) {
    const seen = await examine(context, container);
    if (seen === "alive") alive.push(container);
    else if (seen === "idle") idle.push(container);
    else ended.push([container, seen]);
  }
  const living = new Set(alive.map(({ id }) => id));
  await endStrays(context, living);
  endStrayProbes(context.layout, living);
  restorePorts(context);
  await networks.recover([...living], (id) => heldSockets(context.layout.bundle(id)));
  for (const container of alive) {
    // The last daemon may have died between the two names.
    networks.rename(container.id, container.name);
    adoptPause(context, container);
    lifecycle.adopt(container);
  }
  await volumes.mounts.recover(new Map(alive.map(({ id, record }) => [id, volumesOf(record.mounts)])));
  await undoChanges(context, living);
  await removeStrays(context, living);
  for (const [container, { exit, oomKilled }] of ended) {
    if (exit === undefined) {
      // Nobody saw it end, as after a reboot: that is no failure of the container's own to be counted.
      bookUnknownExit(context, container);
      idle.push(container);
    } else {
      await lifecycle.exitedMeanwhile(container, exit, oomKilled);
    }
  }
  for (const container of idle) await settleIdle(context, container);
  log.info({ adopted: alive.length, exitedMeanwhile: ended.length }, "containers recovered");
}

/** What `launch` gave the monitor to keep. */
function heldSockets(bundle: string) {
  const pid = findMonitor(bundle);
  return pid === undefined ? undefined : { pid, udp: FIRST_HELD, tcp: FIRST_HELD + 1 };
}

interface Ended {
  /** Undefined where nobody knows. */
  exit: ExitRecord | undefined;
  oomKilled: boolean;
}

/** What became of a container: it lives, it exited unbooked, or there is nothing to book. */
async function examine(context: EngineContext, container: Container): Promise<"alive" | "idle" | Ended> {
  const { exits, layout, runtime, containers } = context;
  const { state, id } = container;
  const bundle = layout.bundle(id);
  if (isRunning(state)) {
    // In this order: a monitor writes the exit file before it goes, and it goes after the container.
    if (findMonitor(bundle) !== undefined) return "alive";
    const initAlive = isAlive(state.pid, state.pidStartTime);
    const exit = exits.read(id) ?? (initAlive ? { code: MONITOR_LOST, time: now() } : undefined);
    return { exit, oomKilled: wasOutOfMemory(bundle) };
  }
  const exit = exits.read(id);
  // A start, or a clean-up, was cut off.
  if (exit !== undefined && !isBooked(container, exit)) {
    state.startedAt = createdAt(bundle) ?? formatTime(exit.time);
    return { exit, oomKilled: wasOutOfMemory(bundle) };
  }
  const pid = readPid(monitorFiles.pid(bundle));
  if (exit !== undefined || pid === undefined || findMonitor(bundle) === undefined) return "idle";
  if ((await runtime.status(id)) !== "running") return "idle";
  container.state = {
    ...state,
    status: "running",
    pid,
    pidStartTime: startTime(pid) ?? 0,
    exitCode: 0,
    error: "",
    oomKilled: false,
    startedAt: createdAt(bundle) ?? formatTime(now()),
    endedUnhealthy: false,
    ...HealthWatch.fresh(container),
  };
  containers.saveState(container);
  return "alive";
}

/** Whether the state tells of this very exit: the time of the file is that of the state, to the nanosecond. */
function isBooked({ state }: Container, exit: ExitRecord): boolean {
  const finished = parseTime(state.finishedAt);
  const started = parseTime(state.startedAt);
  return finished !== undefined && (finished === exit.time || (finished === started && exit.time < finished));
}

/** When the runtime made the process. */
function createdAt(bundle: string): string | undefined {
  const stat = statSync(monitorFiles.pid(bundle), { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? undefined : formatTime(stat.mtimeNs);
}

function wasOutOfMemory(bundle: string): boolean {
  return statSync(monitorFiles.outOfMemory(bundle), { throwIfNoEntry: false }) !== undefined;
}

/** A pause that was answered holds; processes that a broken-off pause or commit left frozen run again. */
function adoptPause({ containers }: EngineContext, container: Container): void {
  const { state, record } = container;
  const group = cgroupPath(record.hostConfig.CgroupParent, record.id);
  const frozen = isFrozen(group);
  if (state.status === "running" && frozen) thaw(group);
  if (state.status !== "paused" || frozen) return;
  state.status = "running";
  containers.saveState(container);
}

function bookUnknownExit({ containers, exits }: EngineContext, container: Container): void {
  container.state = {
    ...container.state,
    status: "exited",
    pid: 0,
    pidStartTime: 0,
    exitCode: UNKNOWN_EXIT,
    finishedAt: formatTime(now()),
  };
  containers.saveState(container);
  exits.forget(container.id);
}

/** Nothing of it runs: what its policy, its `--rm` or a crash in the middle of a removal ask for. */
async function settleIdle(context: EngineContext, container: Container): Promise<void> {
  const { state, record } = container;
  context.exits.forget(container.id);
  container.cleanup = container.cleanup.then(() => finishLog(context, container));
  if (record.hostConfig.AutoRemove && state.status === "exited") {
    container.removing = true;
    await discard(context, container, true);
    return;
  }
  container.startWithDaemon = shouldStartWithDaemon(record.hostConfig.RestartPolicy, state);
  if (state.status !== "restarting" || container.startWithDaemon) return;
  state.status = "exited";
  context.containers.saveState(container);
}
