/** Changes the limits of a running container: the runtime, which knows how each kernel says them, writes them. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { HostConfig, Resources } from "#api/types/container-config.ts";
import { cgroupPath } from "#engine/spec/build.ts";
import { liftLimit, restoreLimits, type SavedLimits, saveLimits } from "#linux/cgroup-limits.ts";
import type { EngineContext } from "./context.ts";
import { changedResources } from "./update-resources.ts";

/** What `restoreLimits` needs to take a change back. */
export function limitsOf(id: string, { CgroupParent }: Pick<HostConfig, "CgroupParent">): SavedLimits {
  return saveLimits(cgroupPath(CgroupParent, id));
}

/** `merged` are the limits afterwards, of which `asked` are the ones to change. All or none. Returns the undo. */
export async function changeLimits(
  context: EngineContext,
  id: string,
  merged: Resources,
  asked: Resources,
): Promise<() => void> {
  const saved = limitsOf(id, merged);
  const { devices: _, ...spec } = changedResources(merged, asked);
  try {
    if (Object.keys(spec).length > 0) await updateByRuntime(context, id, spec);
    // Runtimes, crun before 1.9 among them, cannot say these two.
    if (asked.CpuQuota < 0) liftLimit(cgroupPath(merged.CgroupParent, id), "cpu");
    if (asked.PidsLimit !== null && asked.PidsLimit <= 0) liftLimit(cgroupPath(merged.CgroupParent, id), "pids");
  } catch (error) {
    restoreLimits(saved);
    throw error;
  }
  return () => restoreLimits(saved);
}

async function updateByRuntime({ layout, runtime }: EngineContext, id: string, spec: object): Promise<void> {
  const file = join(layout.bundle(id), "resources.json");
  writeFileSync(file, JSON.stringify(spec), { mode: 0o600 });
  try {
    await runtime.update(id, file);
  } finally {
    rmSync(file, { force: true });
  }
}
