/** Which mounts a container has after a change. */
import { posix } from "node:path";
import type { ContainerChanges } from "#api/types/change.ts";
import type { ContainerRecord } from "#engine/container/record.ts";
import { initPath } from "#engine/spec/mounts.ts";
import { rootPropagation } from "#engine/spec/propagation.ts";
import type { MountSources } from "#engine/volume/from-mount.ts";
import type { ResolvedMount } from "#engine/volume/mount.ts";
import { resolveMounts } from "#engine/volume/resolve.ts";
import { parseVolumeSpec } from "#engine/volume/spec.ts";
import { EngineError } from "#lib/errors.ts";

export interface MountPlan {
  /** The outermost first. */
  add: ResolvedMount[];
  /** The innermost first. */
  remove: ResolvedMount[];
  force: boolean;
}

/** Where a running container has files of ours, or of the kernel, that a change must not touch. */
const TREES = ["/proc", "/sys"];
const PLACES = [
  "/dev",
  "/dev/pts",
  "/dev/shm",
  "/dev/mqueue",
  "/etc/hosts",
  "/etc/hostname",
  "/etc/resolv.conf",
  initPath,
];

/** Changes `next`. Throws kind "invalid" for impossible mounts, "conflict" for those that cannot change now. */
export function changeMounts(
  next: ContainerRecord,
  changes: Pick<ContainerChanges, "Binds" | "Mounts">,
  options: MountSources & { running: boolean },
): MountPlan {
  const before = next.mounts;
  const gone = new Set((changes.Mounts?.Remove ?? []).map(clean));
  const remove = before.filter(({ destination }) => gone.has(destination));
  const unknown = [...gone].find((path) => !remove.some(({ destination }) => destination === path));
  if (unknown !== undefined) throw new EngineError("conflict", `the container has no mount at ${unknown}`);
  const binds = changes.Binds?.Add ?? [];
  const mounts = changes.Mounts?.Add ?? [];
  const add = resolveMounts({
    hostConfig: { ...next.hostConfig, Binds: binds, Mounts: mounts, Tmpfs: {}, VolumesFrom: null },
    volumes: null,
    mountsOf: () => [],
    volumePath: options.volumePath,
    imageOf: options.imageOf,
  });
  const kept = before.filter((mount) => !remove.includes(mount));
  for (const { destination } of add) {
    if (kept.some((mount) => mount.destination === destination)) {
      throw new EngineError("invalid", `Duplicate mount point: ${destination}`);
    }
  }
  if (options.running) {
    for (const { destination } of [...add, ...remove]) assertFree(destination);
    assertVisible(kept, add, remove);
    rootPropagation(add);
  }
  forget(next, gone);
  remember(next, binds, mounts);
  next.mounts = [...kept, ...add].toSorted((a, b) => depth(a) - depth(b));
  return { add, remove: remove.toSorted((a, b) => depth(b) - depth(a)), force: changes.Mounts?.Force ?? false };
}

function assertFree(destination: string): void {
  const isTaken = PLACES.includes(destination) || TREES.some((tree) => isAtOrBelow(destination, tree));
  if (!isTaken) return;
  throw new EngineError(
    "conflict",
    `cannot change the mount at ${destination} of a running container: recreate the container`,
  );
}

/** A mount covers what is mounted below it already, and takes it along when it goes. */
function assertVisible(
  kept: readonly ResolvedMount[],
  add: readonly ResolvedMount[],
  remove: readonly ResolvedMount[],
): void {
  for (const { destination } of [...add, ...remove]) {
    const inner = kept.find((mount) => isAtOrBelow(mount.destination, destination));
    if (inner === undefined) continue;
    throw new EngineError(
      "conflict",
      `cannot change the mount at ${destination}: ${inner.destination} is mounted below it; ` +
        "remove that one too, or recreate the container",
    );
  }
}

/** Takes destinations out of everything that made them mounts. */
function forget({ config, hostConfig }: ContainerRecord, gone: ReadonlySet<string>): void {
  if (gone.size === 0) return;
  const stays = (path: string): boolean => !gone.has(clean(path));
  const without = <T>(map: Record<string, T>): Record<string, T> =>
    Object.fromEntries(Object.entries(map).filter(([path]) => stays(path)));
  const binds = (hostConfig.Binds ?? []).filter((text) => stays(parseVolumeSpec(text).destination));
  hostConfig.Binds = binds.length > 0 ? binds : null;
  const mounts = (hostConfig.Mounts ?? []).filter(({ Target = "" }) => stays(Target));
  delete hostConfig.Mounts;
  if (mounts.length > 0) hostConfig.Mounts = mounts;
  const tmpfs = without(hostConfig.Tmpfs ?? {});
  delete hostConfig.Tmpfs;
  if (Object.keys(tmpfs).length > 0) hostConfig.Tmpfs = tmpfs;
  const volumes = without(config.Volumes ?? {});
  config.Volumes = Object.keys(volumes).length > 0 ? volumes : null;
}

function remember(
  { config, hostConfig }: ContainerRecord,
  binds: readonly string[],
  mounts: NonNullable<ContainerRecord["hostConfig"]["Mounts"]>,
): void {
  const isAnonymous = (text: string): boolean => parseVolumeSpec(text).source === "";
  const named = binds.filter((text) => !isAnonymous(text));
  if (named.length > 0) hostConfig.Binds = [...(hostConfig.Binds ?? []), ...named];
  if (mounts.length > 0) hostConfig.Mounts = [...(hostConfig.Mounts ?? []), ...mounts];
  const anonymous = binds.filter(isAnonymous).map((text): [string, Record<string, never>] => [text, {}]);
  if (anonymous.length > 0) config.Volumes = { ...config.Volumes, ...Object.fromEntries(anonymous) };
}

function isAtOrBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function depth({ destination }: ResolvedMount): number {
  return destination.split("/").length;
}

function clean(path: string): string {
  return posix.normalize(path).replace(/(?<=.)\/$/, "");
}
