/** Which user and group ids of a user namespace stand for which of the host's (user_namespaces(7), uid_map). */
import { readFileSync } from "node:fs";

export interface IdRange {
  /** First id inside. */
  readonly inside: number;
  /** First id on the host. */
  readonly outside: number;
  readonly size: number;
}

export interface IdMap {
  readonly uids: readonly IdRange[];
  readonly gids: readonly IdRange[];
}

/** What the kernel shows for an id without a counterpart (/proc/sys/kernel/overflowuid). */
const OVERFLOW = 65534;

/** How many ids there are from 0 on without a gap. */
export function countFromZero(ranges: readonly IdRange[]): number {
  let count = 0;
  for (const { inside, size } of ranges.toSorted((a, b) => a.inside - b.inside)) if (inside === count) count += size;
  return count;
}

/** The host's id, undefined where it has none. */
export function toOutside(ranges: readonly IdRange[], id: number): number | undefined {
  const range = ranges.find(({ inside, size }) => id >= inside && id < inside + size);
  return range && id - range.inside + range.outside;
}

/** The id inside; as the kernel shows it where there is none. */
export function toInside(ranges: readonly IdRange[], id: number): number {
  const range = ranges.find(({ outside, size }) => id >= outside && id < outside + size);
  return range === undefined ? OVERFLOW : id - range.outside + range.inside;
}

/** Lines of /proc/<pid>/uid_map. */
export function formatRanges(ranges: readonly IdRange[]): string {
  return ranges.map(({ inside, outside, size }) => `${inside} ${outside} ${size}\n`).join("");
}

function parseRanges(text: string): IdRange[] {
  return [...text.matchAll(/^ *(\d+) +(\d+) +(\d+)$/gm)].map(([, inside, outside, size]) => ({
    inside: Number(inside),
    outside: Number(outside),
    size: Number(size),
  }));
}

/** The map of a living process's user namespace; undefined where ids mean there what they mean here. Throws where it is gone. */
export function idMapOf(pid: number): IdMap | undefined {
  const read = (kind: "uid" | "gid") => parseRanges(readFileSync(`/proc/${pid}/${kind}_map`, "utf8"));
  const map = { uids: read("uid"), gids: read("gid") };
  const same = [...map.uids, ...map.gids].every(({ inside, outside }) => inside === outside);
  return same ? undefined : map;
}
