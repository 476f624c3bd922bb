/** What a container changed in its image's files (`docker diff`), and all of its files as one archive (`docker export`). */
import { constants } from "node:fs";
import type { FilesystemChange } from "#api/types/container.ts";
import { EngineError } from "#lib/errors.ts";
import { closeFd } from "#linux/descriptor.ts";
import { openInRoot } from "#linux/files.ts";
import { packTree } from "#linux/helper-client.ts";
import { O_PATH } from "#linux/libc.ts";
import { readTar } from "#store/tar.ts";
import type { Container } from "./container.ts";
import { announce, type EngineContext } from "./context.ts";
import { openRootfs, packed } from "./tree.ts";

const MODIFIED = 0;
const ADDED = 1;
const DELETED = 2;

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

/** Sorted by path. Walks what was written in a helper process: the content passes, and is not read. */
export async function listChanges(context: EngineContext, container: Container): Promise<FilesystemChange[]> {
  const mount = await context.snapshots.mounts(container.id);
  const [upper, lower] = mount.type === "bind" ? [mount.source, []] : [mount.upper, mount.lower];
  if (upper === undefined) throw new EngineError("internal", `container ${container.id} has no writable layer`);
  const { stream, done } = packTree({ root: upper, mode: "layer" });
  const changes = new Map<string, FilesystemChange["Kind"]>();
  for await (const { name } of readTar(stream)) {
    const path = name.replace(/^\.?\//, "").replace(/\/$/, "");
    const [, folder = "", hidden] = /^(.*\/)?\.wh\.([^/]+)$/.exec(path) ?? [];
    // A folder that hides the image's is new, as far as anybody can tell.
    if (hidden === ".wh..opq") continue;
    if (hidden !== undefined) changes.set(folder + hidden, DELETED);
    else if (path !== "") changes.set(path, lower.some((layer) => exists(layer, path)) ? MODIFIED : ADDED);
  }
  await done;
  dropMountPoints(changes, container);
  return [...changes]
    .map(([path, Kind]) => ({ Path: `/${path}`, Kind }))
    .toSorted((a, b) => (a.Path < b.Path ? -1 : 1));
}

/** The mount points, and the folders in which they are all that changed. */
function dropMountPoints(changes: Map<string, FilesystemChange["Kind"]>, { record }: Container): void {
  const points = new Set([...MOUNT_POINTS, ...record.mounts.map(({ destination }) => destination.slice(1))]);
  const touched = new Set<string>();
  for (const path of [...changes.keys()].toSorted().toReversed()) {
    const hasMore = [...changes.keys()].some((other) => other.startsWith(`${path}/`));
    const isPoint = points.has(path) && changes.get(path) === ADDED;
    if (hasMore || !(isPoint || touched.has(path))) continue;
    changes.delete(path);
    const parent = path.slice(0, Math.max(0, path.lastIndexOf("/")));
    touched.add(parent);
  }
}

function exists(root: string, path: string): boolean {
  try {
    closeFd(openInRoot(root, path, O_PATH | constants.O_NOFOLLOW));
    return true;
  } catch {
    return false;
  }
}

/** Rejects before the first byte where there is nothing to export. Ends with the signal. */
export async function exportContainer(
  context: EngineContext,
  container: Container,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  if (container.removing) {
    throw new EngineError("conflict", `You cannot export container ${container.id} which is being removed`);
  }
  const tree = await openRootfs(context, container);
  announce(context, container, "export");
  return packed(tree, packTree({ root: tree.path, mode: "plain", ...(tree.ids && { ids: tree.ids }) }, signal));
}
