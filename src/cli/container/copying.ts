/** Both directions of `cp`: the daemon speaks tar, and the system's tar knows how to read and write files here. */
import { lstatSync, realpathSync, type Stats, statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { DaemonError } from "../connection.ts";
import { ExitError } from "../errors.ts";
import type { Session } from "../session.ts";
import { humanSize } from "../units.ts";
import { openError } from "./option-checks.ts";

export interface CopyOptions {
  /** Let the daemon set owners, when copying to a container: ours never change hands on the way out, as with Docker. */
  readonly archive: boolean;
  /** Copy what a symbolic link at the source points to. */
  readonly follow: boolean;
  /** Say at the end how much it was. */
  readonly tell: boolean;
}

/** Of the header that describes a path in a container. */
interface PathStat {
  readonly name: string;
  readonly mode: number;
  readonly linkTarget: string;
}

/** Bits of Go's FileMode. */
const directory = 2 ** 31;
const symlink = 2 ** 27;
const has = (mode: number, bit: number) => Math.trunc(mode / bit) % 2 === 1;

const archivePath = (container: string) => `/containers/${encodeURIComponent(container)}/archive`;

/** Where the copy goes: a folder that is there, and the name that the source's first part takes in it. */
interface Landing {
  readonly folder: string;
  /** Undefined keeps the name. */
  readonly name: string | undefined;
}

/** Docker's rules. `found` is what is at `path` now, undefined for nothing. Throws its words. */
function landing(path: string, found: { directory: boolean } | undefined, sourceIsFolder: boolean): Landing {
  if (found?.directory) return { folder: path, name: undefined };
  if (found && sourceIsFolder) throw new ExitError(1, "cannot copy directory");
  if (/\/\.?$/.test(path)) {
    if (found) throw new ExitError(1, "not a directory");
    if (!sourceIsFolder) throw new ExitError(1, "no such directory");
  }
  const bare = path.replace(/\/+\.?$/, "");
  return { folder: dirname(bare), name: basename(bare) };
}

/** Copies `source` in a container to `target` here, or as a tar to stdout for `-`. */
export async function fromContainer(
  session: Session,
  container: string,
  source: string,
  target: string,
  { follow, tell }: Omit<CopyOptions, "archive">,
): Promise<void> {
  let path = source.startsWith("/") ? source : `/${source}`;
  let name = basename(path);
  if (follow) {
    const { mode, linkTarget } = await statIn(session, container, path);
    if (has(mode, symlink)) path = resolve(dirname(path), linkTarget);
  }
  const response = await session.daemon.send("GET", archivePath(container), { query: { path } });
  if (target === "-") {
    for await (const chunk of response.body ?? []) session.out.write(chunk);
    return;
  }
  const contents = path.endsWith("/.");
  if (contents) name = ".";
  const { name: found, mode } = statOf(response);
  const there = statSync(target, { throwIfNoEntry: false });
  const place = landing(target, there && { directory: there.isDirectory() }, has(mode, directory));
  if (!statSync(place.folder, { throwIfNoEntry: false }))
    throw new ExitError(1, `invalid output path: directory "${place.folder}" does not exist`);
  const inArchive = contents ? "." : found;
  const words = ["-x", "-p", "--no-same-owner", "-C", place.folder];
  const tar = Bun.spawn(["tar", ...words, ...renaming(inArchive, place.name ?? name), "-f", "-"], {
    stdin: "pipe",
    stdout: "ignore",
    stderr: "pipe",
  });
  const complaint = tar.stderr.text();
  let size = 0;
  try {
    for await (const chunk of response.body ?? []) {
      size += chunk.length;
      await tar.stdin.write(chunk);
      await tar.stdin.flush();
    }
    await tar.stdin.end();
  } catch (error) {
    // It has ended early, and says itself why; else the daemon's stream broke.
    if ((error as NodeJS.ErrnoException).code !== "EPIPE") {
      tar.kill();
      throw error;
    }
  }
  if ((await tar.exited) !== 0) throw new ExitError(1, (await complaint).trim());
  if (tell) session.err.line(`Successfully copied ${humanSize(size, 3)} to ${target}`);
}

/** Copies `source` here, or a tar on stdin for `-`, to `target` in a container. */
export async function toContainer(
  session: Session,
  source: string,
  container: string,
  target: string,
  { archive, follow, tell }: CopyOptions,
): Promise<void> {
  let path = target.startsWith("/") ? target : `/${target}`;
  let found = await statIn(session, container, path).catch(unlessMissing);
  if (found && has(found.mode, symlink)) {
    path = resolve(dirname(path), found.linkTarget);
    found = await statIn(session, container, path).catch(unlessMissing);
  }
  const there = found && { directory: has(found.mode, directory) };
  const query = { noOverwriteDirNonDir: "true", ...(archive ? { copyUIDGID: "true" } : {}) };
  if (source === "-") {
    if (!there?.directory) throw new ExitError(1, `destination "${container}:${target}" must be a directory`);
    await session.daemon.send("PUT", archivePath(container), { query: { path, ...query }, body: Bun.stdin.stream() });
    return;
  }
  const contents = source === "." || source.endsWith("/.");
  const stats = localStat(source, follow || /\/\.?$/.test(source));
  const local = follow && !contents ? realpathSync(source) : source;
  const place = landing(path, there, stats.isDirectory());
  const [folder, name] = contents ? [source, "."] : [dirname(local), basename(local)];
  const rename = renaming(name, place.name ?? (contents ? "." : basename(source)));
  const tar = Bun.spawn(["tar", "-c", "--numeric-owner", "-C", folder, ...rename, "-f", "-", "--", name], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const complaint = tar.stderr.text();
  let size = 0;
  const counted = tar.stdout.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        size += chunk.length;
        controller.enqueue(chunk);
      },
    }),
  );
  await session.daemon.send("PUT", archivePath(container), { query: { path: place.folder, ...query }, body: counted });
  if ((await tar.exited) !== 0) throw new ExitError(1, (await complaint).trim());
  if (tell) session.err.line(`Successfully copied ${humanSize(size, 3)} to ${container}:${target}`);
}

/** Rejects with DaemonError 404 where there is no such container or path. */
async function statIn(session: Session, container: string, path: string): Promise<PathStat> {
  return statOf(await session.daemon.send("HEAD", archivePath(container), { query: { path } }));
}

function statOf(response: Response): PathStat {
  const header = response.headers.get("x-docker-container-path-stat") ?? "";
  return JSON.parse(Buffer.from(header, "base64").toString()) as PathStat;
}

function unlessMissing(error: unknown): undefined {
  if (error instanceof DaemonError && error.status === 404) return undefined;
  throw error;
}

function localStat(path: string, follow: boolean): Stats {
  try {
    return follow ? statSync(path) : lstatSync(path);
  } catch (error) {
    throw new ExitError(1, openError(path, error).replace(/^open /, follow ? "stat " : "lstat "), { cause: error });
  }
}

/** Makes tar call the first part of each path otherwise, in the entries and in hard links, but not in symbolic ones. */
function renaming(from: string, to: string): string[] {
  if (from === to) return [];
  // The root's entries have no first part, only the slash before it.
  if (from === "/") return ["--transform", `flags=rhS;s,^/,${replaced(to === "" ? "." : to)}/,`];
  const pattern = from.replaceAll(/[\\.*[\]^$,]/g, String.raw`\$&`);
  return ["--transform", `flags=rhS;s,^${pattern}\\(/\\|$\\),${replaced(to)}\\1,`];
}

/** As sed takes it for a replacement. */
function replaced(text: string): string {
  return text.replaceAll(/[\\&,]/g, String.raw`\$&`);
}
