/** What a starting daemon does about the containers of the one before it. */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { monitorFiles } from "#engine/runtime/conmon.ts";
import type { ExitRecord } from "#engine/runtime/exits.ts";
import { errorMessage } from "#lib/errors.ts";
import { formatTime, now, parseTime } from "#lib/time.ts";
import { isAlive, startTime } from "#linux/process.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { isRunning } from "./record.ts";
import { shouldStartWithDaemon } from "./restart-policy.ts";
import { discard } from "./remove.ts";
import { removeBundle } from "./rootfs.ts";

/** What a process that vanished without a word (a reboot, a killed monitor) is said to have exited with, as Docker has it. */
const UNKNOWN_EXIT = 255;

/** Order matters: adopt, then let the network know who lives, then book what ended, then remove what nobody owns. */
export async function recoverContainers(context: EngineContext, lifecycle: Lifecycle): Promise<void> {
  const { containers, networks, exits, log } = context;
  const ended: [Container, ExitRecord][] = [];
  const alive: Container[] = [];
  for (const container of containers.all()) {
    const seen = await examine(context, container);
    if (seen === "alive") alive.push(container);
    else if (seen !== undefined) ended.push([container, seen]);
  }
  await networks.recover(alive.map(({ id }) => id));
  for (const container of alive) lifecycle.adopt(container);
  for (const [container, exit] of ended) await lifecycle.exitedMeanwhile(container, exit);
  const living = new Set(alive.map(({ id }) => id));
  await removeStrays(context, living);
  for (const container of containers.all()) {
    if (living.has(container.id) || container.restart !== undefined) continue;
    exits.forget(container.id);
    if (
      container.state.status === "removing" ||
      (container.record.hostConfig.AutoRemove && container.state.status === "exited")
    ) {
      container.removing = true;
      await discard(context, container, true);
    } else {
      container.startWithDaemon = shouldStartWithDaemon(container.record.hostConfig.RestartPolicy, container.state);
      if (container.state.status === "restarting" && !container.startWithDaemon) {
        container.state.status = "exited";
        containers.saveState(container);
      }
    }
  }
  log.info({ adopted: alive.length, exitedMeanwhile: ended.length }, "containers recovered");
}

/** What became of a container: it lives, it exited unbooked, or (undefined) there is nothing to do. */
async function examine(context: EngineContext, container: Container): Promise<"alive" | ExitRecord | undefined> {
  const { exits, layout, runtime, containers } = context;
  const { state, id } = container;
  const exit = exits.read(id);
  if (isRunning(state)) {
    if (exit !== undefined) return exit;
    if (isAlive(state.pid, state.pidStartTime)) return "alive";
    return { code: UNKNOWN_EXIT, time: now() };
  }
  if (!existsSync(layout.bundle(id))) return undefined;
  // The bundle of a container that is not said to run: a start or a clean-up was cut off.
  if (exit !== undefined) return exit.time <= (parseTime(state.finishedAt) ?? 0n) ? undefined : exit;
  if ((await runtime.status(id)) !== "running") return undefined;
  const pid = readPid(monitorFiles.pid(layout.bundle(id)));
  if (pid === undefined) return undefined;
  container.state = {
    ...state,
    status: "running",
    pid,
    pidStartTime: startTime(pid) ?? 0,
    startedAt: formatTime(now()),
  };
  containers.saveState(container);
  return "alive";
}

/** Monitors, runtime states, mounts and files that belong to no living container. */
async function removeStrays(context: EngineContext, living: ReadonlySet<string>): Promise<void> {
  const { layout, runtime, snapshots, containers, log } = context;
  const strays = new Set([...names(layout.bundles), ...names(layout.runtimeRoot)].filter((id) => !living.has(id)));
  for (const id of strays) {
    try {
      killMonitor(layout.bundle(id));
      await runtime.delete(id);
      await removeBundle(context, id);
    } catch (error) {
      log.error({ container: id, error: errorMessage(error) }, "cannot remove what is left of a container");
    }
  }
  const known = (id: string) => containers.find(id)?.id === id;
  for (const id of names(layout.exits)) {
    if (!known(id)) rmSync(join(layout.exits, id), { force: true });
  }
  for (const id of names(layout.containers)) {
    if (!known(id)) rmSync(layout.container(id), { recursive: true, force: true });
  }
  for (const { key } of snapshots.list()) {
    if (/^[0-9a-f]{64}$/.test(key) && !known(key)) await snapshots.remove(key);
  }
}

/** A monitor that still tries to create a container would bring it back after we removed it. */
function killMonitor(bundle: string): void {
  const pid = readPid(monitorFiles.monitorPid(bundle));
  if (pid === undefined) return;
  try {
    const [program] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    if (basename(program ?? "") === "conmon" && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(bundle)) {
      process.kill(pid, "SIGKILL");
    }
  } catch {
    // Gone already.
  }
}

function readPid(file: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(file, "utf8"), 10);
    return pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function names(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
