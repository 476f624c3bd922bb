/**
 * The files of one log: the live one, which the monitor writes, and numbered ones in the order of their lines.
 *
 * A monitor that is told to reopen its log opens LOG.tmp, empties it and renames it over LOG, so that whatever only LOG
 * named is gone. Therefore every file gets a number, a hard link, before it can be replaced: LOG.00000001 and so on. The
 * live file is that with the highest number in use. Compressed ones end in `.zst`.
 */
import { linkSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";

export interface Segment {
  number: number;
  path: string;
  compressed: boolean;
  /** Bytes on disk. */
  size: number;
  /** Of its last line, in milliseconds since the epoch. */
  modified: number;
  /** Same file system, so that this tells files apart. */
  inode: bigint;
}

const NUMBERED = /^\.(\d{8})(\.zst)?$/;

/** The next file of the monitor; its name is the monitor's choice. */
export function preparedPath(log: string): string {
  return `${log}.tmp`;
}

export function segmentPath(log: string, number: number): string {
  return `${log}.${String(number).padStart(8, "0")}`;
}

/** In order. Where a file is there compressed and not, because a crash came between, it is given once, not compressed. */
export function listSegments(log: string): Segment[] {
  const segments = new Map<number, Segment>();
  for (const name of namesBeside(log)) {
    const match = NUMBERED.exec(name);
    if (match === null) continue;
    const number = Number(match[1]);
    const compressed = match[2] !== undefined;
    if (compressed && segments.has(number)) continue;
    const path = log + name;
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined) continue;
    const { size, mtimeMs, ino } = stat;
    segments.set(number, { number, path, compressed, size: Number(size), modified: Number(mtimeMs), inode: ino });
  }
  return [...segments.values()].toSorted((a, b) => a.number - b.number);
}

/** Of the file that has the log's own name; undefined where there is none. */
export function liveInode(log: string): bigint | undefined {
  return statSync(log, { bigint: true, throwIfNoEntry: false })?.ino;
}

/** Gives the live file its number and tells it; undefined where there is no live file. */
export function numberLive(log: string): number | undefined {
  const live = liveInode(log);
  if (live === undefined) return undefined;
  const segments = listSegments(log);
  const known = segments.find(({ inode }) => inode === live);
  if (known !== undefined) return known.number;
  const number = (segments.at(-1)?.number ?? 0) + 1;
  linkSync(log, segmentPath(log, number));
  return number;
}

/** Lays ready the file that the monitor will write next, with its number. Idempotent. */
export function prepareNext(log: string): void {
  const prepared = preparedPath(log);
  const stat = statSync(prepared, { bigint: true, throwIfNoEntry: false });
  const segments = listSegments(log);
  const next = segmentPath(log, (segments.at(-1)?.number ?? 0) + 1);
  if (stat !== undefined) {
    if (!segments.some(({ inode }) => inode === stat.ino)) linkSync(prepared, next);
    return;
  }
  const last = segments.at(-1);
  // Left by a daemon that was killed between the two steps.
  if (last !== undefined && last.size === 0 && !last.compressed && last.inode !== liveInode(log)) {
    return linkSync(last.path, prepared);
  }
  writeFileSync(next, "", { flag: "wx", mode: 0o600 });
  linkSync(next, prepared);
}

/** What the monitor does when it reopens its log, for a log without one. */
export function takePrepared(log: string): void {
  renameSync(preparedPath(log), log);
}

/** Removes what a daemon left that was killed while it worked on a segment, and compressed ones' originals. */
export function removeHalves(log: string): void {
  const names = namesBeside(log);
  for (const name of names) {
    if (/^\.\d{8}(\.zst)?\.new$/.test(name)) rmSync(log + name, { force: true });
    if (/^\.\d{8}$/.test(name) && names.includes(`${name}.zst`)) rmSync(log + name, { force: true });
  }
}

/** What follows the log's own name in the names of the files beside it. */
function namesBeside(log: string): string[] {
  const own = basename(log);
  try {
    return readdirSync(dirname(log))
      .filter((name) => name.startsWith(own))
      .map((name) => name.slice(own.length))
      .toSorted();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
