/** Files out of and into containers: `docker cp`. */
import { constants, fstatSync, readlinkSync } from "node:fs";
import { posix } from "node:path";
import type { PathStat } from "#api/types/container.ts";
import type { ArchivePutQuery } from "#api/types/query.ts";
import { resolveUser } from "#engine/spec/user.ts";
import { EngineError } from "#lib/errors.ts";
import { closeFd } from "#linux/descriptor.ts";
import { openInRoot } from "#linux/files.ts";
import { type Lendable, unpackArchive } from "#linux/helper-client.ts";
import { O_PATH } from "#linux/libc.ts";
import { SyscallError } from "#linux/syscall-error.ts";
import type { Container } from "./container.ts";
import { announce, type EngineContext } from "./context.ts";
import { openView, openViewForWriting, type PackedTree, packed } from "./tree.ts";

const ABSENT = new Set(["ENOENT", "ENOTDIR", "ELOOP"]);

/** Of the file itself, also where it is a link. Rejects "not-found". */
export async function statInContainer(context: EngineContext, container: Container, path: string): Promise<PathStat> {
  await using view = await openView(context, container);
  return statPath(view.path, path, container);
}

/** The archive's first name is the last of `path`. A folder comes with all below it. */
export async function copyFrom(
  context: EngineContext,
  container: Container,
  path: string,
  signal: AbortSignal,
): Promise<{ stat: PathStat; stream: PackedTree }> {
  await using undo = new AsyncDisposableStack();
  const view = undo.use(await openView(context, container));
  const stat = statPath(view.path, path, container);
  const clean = cleanPath(followsLinks(path) ? resolve(view.path, path, container) : path);
  undo.move();
  announce(context, container, "archive-path");
  return { stat, stream: packed(view, { path: clean, rename: baseName(path) }, signal) };
}

/** Unpacks a tar, plain or compressed, in the folder `query.path`. Rejects "not-found", and "invalid" as Docker does. */
export async function copyInto(
  context: EngineContext,
  container: Container,
  query: ArchivePutQuery,
  archive: Lendable,
  signal: AbortSignal,
): Promise<void> {
  const { record } = container;
  await using view = await openViewForWriting(context, container);
  const inside = resolve(view.path, query.path, container, constants.O_DIRECTORY);
  const mount = record.mounts
    .filter(({ destination }) => inside === destination || inside.startsWith(`${destination}/`))
    .toSorted((a, b) => b.destination.length - a.destination.length)[0];
  if (mount?.readOnly === true) throw new EngineError("invalid", "mounted volume is marked read-only");
  if (mount === undefined && record.hostConfig.ReadonlyRootfs) {
    throw new EngineError("invalid", "container rootfs is marked read-only");
  }
  const user = resolveUser(view.path, record.config.User);
  try {
    await unpackArchive(
      {
        archive,
        target: view.path,
        directory: cleanPath(inside),
        mode: "plain",
        keepDirectories: query.noOverwriteDirNonDir,
        ...(view.ids && { ids: view.ids }),
        ...(query.copyUidGid && { owner: { uid: user.uid, gid: user.gid } }),
      },
      view.run === undefined ? signal : AbortSignal.any([signal, view.run]),
    );
  } catch (cause) {
    if (!view.run?.aborted) throw cause;
    throw new EngineError("conflict", `container ${container.id} stopped while files were copied into it`, { cause });
  }
  announce(context, container, "extract-to-dir");
}

function statPath(root: string, path: string, container: Container): PathStat {
  const fd = open(root, path, followsLinks(path) ? 0 : constants.O_NOFOLLOW, container);
  try {
    const { size, mode, mtime } = fstatSync(fd);
    const isLink = (mode & constants.S_IFMT) === constants.S_IFLNK;
    return {
      name: baseName(path),
      size,
      mode: goMode(mode),
      mtime: mtime.toISOString(),
      linkTarget: isLink ? linkTarget(root, path) : "",
    };
  } finally {
    closeFd(fd);
  }
}

/** With a slash or a dot at the end it is the folder behind a link that is meant. */
function followsLinks(path: string): boolean {
  return /(^|\/)\.?$/.test(path);
}

/** What the path means inside once its links are followed, by the kernel's own word. */
function resolve(root: string, path: string, container: Container, flags = 0): string {
  const fd = open(root, path, flags, container);
  try {
    return insideRoot(root, readlinkSync(`/proc/self/fd/${fd}`), path);
  } finally {
    closeFd(fd);
  }
}

/** As many links as Linux follows (path_resolution(7)). */
const MAX_LINKS = 40;

/** Where a link leads in the end, inside the container, also where nothing is there. */
function linkTarget(root: string, path: string): string {
  let target = posix.join("/", path);
  for (let links = 0; links < MAX_LINKS; links++) {
    const next = linkText(root, target);
    if (next === undefined) return target;
    target = next;
  }
  return target;
}

/** The path that a link's text means, from its folder's real place; undefined where `path` is no link, or nothing. */
function linkText(root: string, path: string): string | undefined {
  let fd: number;
  try {
    fd = openInRoot(root, posix.dirname(path), O_PATH | constants.O_DIRECTORY);
  } catch {
    return undefined;
  }
  try {
    const folder = insideRoot(root, readlinkSync(`/proc/self/fd/${fd}`), posix.dirname(path));
    return posix.resolve(folder, readlinkSync(`/proc/self/fd/${fd}/${posix.basename(path)}`));
  } catch {
    return undefined;
  } finally {
    closeFd(fd);
  }
}

/** The kernel names what lies outside our own mounts from the root of its mount, which is the container's. */
function insideRoot(root: string, real: string, asked: string): string {
  const base = readlinkSync(root);
  if (base === "/") return posix.normalize(real);
  return real.startsWith(base) ? posix.join("/", real.slice(base.length)) : posix.join("/", asked);
}

function open(root: string, path: string, flags: number, { name }: Container): number {
  try {
    return openInRoot(root, posix.join("/", path), O_PATH | flags);
  } catch (cause) {
    if (!(cause instanceof SyscallError) || !ABSENT.has(cause.code)) throw cause;
    if (cause.code === "ENOTDIR" && flags === constants.O_DIRECTORY) {
      throw new EngineError("invalid", "extraction point is not a directory", { cause });
    }
    throw new EngineError("not-found", `Could not find the file ${path} in container ${name}`, { cause });
  }
}

function cleanPath(path: string): string {
  return posix
    .join("/", path)
    .replace(/\/\.?$/, "")
    .slice(1);
}

/** As Go's filepath.Base. */
function baseName(path: string): string {
  const joined = posix.join("/", path);
  if (path.endsWith("/.")) return ".";
  return joined === "/" ? "/" : posix.basename(joined);
}

/** Go's os.FileMode: permissions in the lower nine bits, the rest in the upper ones. */
function goMode(mode: number): number {
  const kinds: Readonly<Record<number, number>> = {
    [constants.S_IFDIR]: 2 ** 31,
    [constants.S_IFLNK]: 2 ** 27,
    [constants.S_IFBLK]: 2 ** 26,
    [constants.S_IFCHR]: 2 ** 26 + 2 ** 21,
    [constants.S_IFIFO]: 2 ** 25,
    [constants.S_IFSOCK]: 2 ** 24,
  };
  const special = (mode & 0o4000 ? 2 ** 23 : 0) + (mode & 0o2000 ? 2 ** 22 : 0) + (mode & 0o1000 ? 2 ** 20 : 0);
  return (mode & 0o777) + special + (kinds[mode & constants.S_IFMT] ?? 0);
}
