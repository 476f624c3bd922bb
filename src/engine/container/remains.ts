/** Takes away what a container's run leaves in the kernel, also where the runtime knows nothing of it any more. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { killMonitors } from "#engine/runtime/monitors.ts";
import { cgroupPath } from "#engine/spec/build.ts";
import { namesIn } from "#lib/absent.ts";
import { errorMessage } from "#lib/errors.ts";
import { EBUSY, hasErrno } from "#linux/syscall-error.ts";
import { unmountTree } from "#linux/unmount-tree.ts";
import { removeGroup } from "#linux/cgroup-group.ts";
import type { Layout } from "#store/layout.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { isStrayView } from "./image-mounts.ts";
import { removeBundle } from "./rootfs.ts";

/**
 * Ends what is left of a run and removes runtime state, cgroup, mounts and bundle. For runs whose monitor is gone.
 * Idempotent. Rejects where a mount resists.
 */
export async function removeRemains(context: EngineContext, id: string): Promise<void> {
  const { layout, runtime, log } = context;
  const group = groupOf(context, id);
  try {
    await runtime.delete(id);
  } catch (error) {
    log.warn(
      { container: id, error: errorMessage(error) },
      "the runtime cannot remove a container: it is done by hand",
    );
  }
  if (!(await removeGroup(group))) log.warn({ container: id, group }, "cannot remove a container's control group");
  rmSync(layout.runtimeState(id), { recursive: true, force: true });
  // Starts that were cut off may have left more than one.
  while (await unmountRoot(context, layout.rootfs(id)));
  await removeBundle(context, id);
}

/** Whoever was cut off while he looked at a container's files may have left mounts below. */
async function unmountRoot({ namespaces }: EngineContext, rootfs: string): Promise<boolean> {
  try {
    return await namespaces.unmount(rootfs);
  } catch (error) {
    if (!hasErrno(error, EBUSY)) throw error;
    return unmountTree(rootfs);
  }
}

/**
 * After an exit that the monitor told: what a client need not wait for. Never rejects. Without `saved` the exit file
 * stays for the next daemon.
 */
export async function cleanUp(context: EngineContext, container: Container, saved: boolean): Promise<void> {
  const { runtime, layout, exits, log } = context;
  // Clients that are slow to take the last of the output keep nobody else waiting.
  void container.console.close();
  try {
    if (existsSync(layout.runtimeState(container.id))) {
      await runtime.delete(container.id);
      await removeBundle(context, container.id);
    } else {
      // Whoever removed the runtime's own state left the rest of the container to us.
      await removeRemains(context, container.id);
    }
    if (saved) exits.forget(container.id);
  } catch (error) {
    log.error({ container: container.id, error: errorMessage(error) }, "cannot clean up after a container");
  }
}

/** Takes a container's network down. Never rejects: an exit must be told whatever the network says. */
export async function releaseNetwork({ networks, log }: EngineContext, id: string): Promise<void> {
  try {
    await networks.release(id);
  } catch (error) {
    log.error({ container: id, error: errorMessage(error) }, "cannot take down a container's network");
  }
}

/** Ends monitors and runtimes at work on others than `living`: they hold on to mounts, and would make new ones. */
export async function endStrays({ layout }: EngineContext, living: ReadonlySet<string>): Promise<void> {
  await killMonitors(layout.runtimeRoot, strays(layout, living));
}

/** Runtime states, mounts, files and volumes that belong to no container of `living`, after `endStrays`. */
export async function removeStrays(context: EngineContext, living: ReadonlySet<string>): Promise<void> {
  const { layout, snapshots, containers, volumes, log } = context;
  for (const id of strays(layout, living)) {
    try {
      await removeRemains(context, id);
    } catch (error) {
      log.error({ container: id, error: errorMessage(error) }, "cannot remove what is left of a container");
    }
  }
  const known = (id: string) => containers.find(id)?.id === id;
  for (const id of namesIn(layout.exits)) {
    if (!known(id)) rmSync(join(layout.exits, id), { recursive: true, force: true });
  }
  for (const id of namesIn(layout.containers)) {
    if (!known(id)) rmSync(layout.container(id), { recursive: true, force: true });
  }
  // Of containers that were never made whole: a removal forgets the uses itself.
  for (const id of volumes.allUsers()) if (!known(id)) volumes.release(id, true);
  for (const { key } of snapshots.list()) {
    if ((/^[0-9a-f]{64}$/.test(key) && !known(key)) || isStrayView(context, key)) await snapshots.remove(key);
  }
}

/** Of a container that is not in the database any more its bundle may tell. */
function groupOf({ layout, containers }: EngineContext, id: string): string {
  const record = containers.find(id)?.record;
  if (record?.id === id) return cgroupPath(record.hostConfig.CgroupParent, id);
  try {
    const spec = JSON.parse(readFileSync(join(layout.bundle(id), "config.json"), "utf8")) as {
      linux: { cgroupsPath: string };
    };
    if (spec.linux.cgroupsPath.endsWith(`/${id}`)) return spec.linux.cgroupsPath;
  } catch {
    // Not written yet, or not whole.
  }
  return cgroupPath("", id);
}

function strays(layout: Layout, living: ReadonlySet<string>): Set<string> {
  // The runtime keeps a cache of its own among the states: compiled system call filters, in `.cache`.
  const states = namesIn(layout.runtimeRoot).filter((name) => !name.startsWith("."));
  return new Set([...namesIn(layout.bundles), ...states].filter((id) => !living.has(id)));
}
