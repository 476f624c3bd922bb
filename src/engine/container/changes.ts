/** What a container changed in its image's files (`docker diff`), and all of its files as one archive (`docker export`). */
import type { FilesystemChange } from "#api/types/container.ts";
import { EngineError } from "#lib/errors.ts";
import { type OverlayChange, overlayChanges } from "#linux/overlay-changes.ts";
import type { Container } from "./container.ts";
import { announce, type EngineContext } from "./context.ts";
import { openRootfs, type PackedTree, packed } from "./tree.ts";

const KINDS = { modified: 0, added: 1, deleted: 2 } as const;

/** Places that the runtime makes for mounts, where the image has none: nobody's change. */
const MOUNT_POINTS = new Set([
  "dev",
  "dev/console",
  "dev/mqueue",
  "dev/pts",
  "dev/shm",
  "etc/hostname",
  "etc/hosts",
  "etc/resolv.conf",
  "proc",
  "sbin/docker-init",
  "sys",
  "sys/fs",
  "sys/fs/cgroup",
]);

/** Sorted by path. */
export async function listChanges(context: EngineContext, container: Container): Promise<FilesystemChange[]> {
  const mount = await context.snapshots.mounts(container.id);
  const [upper, lower] = mount.type === "bind" ? [mount.source, []] : [mount.upper, mount.lower];
  if (upper === undefined) throw new EngineError("internal", `container ${container.id} has no writable layer`);
  const changes = new Map<string, OverlayChange["kind"]>();
  for await (const { path, kind } of overlayChanges(upper, lower)) changes.set(path, kind);
  dropMountPoints(changes, container);
  return [...changes]
    .map(([path, kind]) => ({ Path: `/${path}`, Kind: KINDS[kind] }))
    .toSorted((a, b) => (a.Path < b.Path ? -1 : 1));
}

/** The mount points, and the folders in which they are all that changed. */
function dropMountPoints(changes: Map<string, OverlayChange["kind"]>, { record }: Container): void {
  const points = new Set([...MOUNT_POINTS, ...record.mounts.map(({ destination }) => destination.slice(1))]);
  const within = new Map<string, number>();
  for (const path of changes.keys()) {
    const folder = folderOf(path);
    within.set(folder, (within.get(folder) ?? 0) + 1);
  }
  const touched = new Set<string>();
  // Children come after their folders in the map.
  for (const [path, kind] of [...changes].toReversed()) {
    const isPoint = points.has(path) && kind === "added";
    if ((within.get(path) ?? 0) > 0 || !(isPoint || touched.has(path))) continue;
    changes.delete(path);
    const folder = folderOf(path);
    within.set(folder, (within.get(folder) ?? 1) - 1);
    touched.add(folder);
  }
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** Rejects before the first byte where there is nothing to export. Ends with the signal. */
export async function exportContainer(
  context: EngineContext,
  container: Container,
  signal: AbortSignal,
): Promise<PackedTree> {
  if (container.removing) {
    throw new EngineError("conflict", `You cannot export container ${container.id} which is being removed`);
  }
  const tree = await openRootfs(context, container);
  announce(context, container, "export");
  return packed(tree, {}, signal);
}
