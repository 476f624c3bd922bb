/** Owners that a mount shows instead of those on disk (`U`, `idmap`): nothing is changed on disk, nor copied. */
import { EngineError } from "#lib/errors.ts";
import { type IdMap, type IdRange, toOutside } from "#linux/id-map.ts";

export type MountOwners =
  /** Whoever owns the source is the container's user in there. */
  | { kind: "user" }
  /** Ids on disk are those of the container's user namespace. */
  | { kind: "container" }
  | { kind: "map"; uids: OwnerRange[]; gids: OwnerRange[] };

export interface OwnerRange {
  disk: number;
  shown: number;
  size: number;
  /** `shown` is an id of the container's user namespace, else the host's. */
  relative: boolean;
}

/** As uid_map takes them. */
const MAX_ID = 2 ** 32 - 1;
const MAX_RANGES = 340;

/** `user`, `container` or `uids=DISK-SHOWN-SIZE[#…];gids=…`, each range perhaps with `@` before it. Throws "invalid". */
export function parseOwners(text: string): MountOwners {
  if (text === "user" || text === "container") return { kind: text };
  const refuse = (why: string): EngineError => new EngineError("invalid", `invalid idmap option ${text}: ${why}`);
  const lists = new Map<string, OwnerRange[]>();
  for (const part of text.split(";")) {
    const [, name, list = ""] = /^(uids|gids)=(.+)$/.exec(part) ?? [];
    if (name === undefined || lists.has(name)) throw refuse("it must read uids=FROM-TO-SIZE[#…];gids=FROM-TO-SIZE[#…]");
    const ranges = list.split("#").map((range) => {
      const [, at, disk, shown, size] = /^(@?)(\d+)-(\d+)-(\d+)$/.exec(range) ?? [];
      if (at === undefined) throw refuse(`${range} is not FROM-TO-SIZE`);
      return { disk: Number(disk), shown: Number(shown), size: Number(size), relative: at === "@" };
    });
    if (ranges.length > MAX_RANGES) throw refuse(`more than ${MAX_RANGES} ranges`);
    if (!ranges.every(({ disk, shown, size }) => size > 0 && disk + size <= MAX_ID && shown + size <= MAX_ID)) {
      throw refuse("a range is empty, or ends beyond the last id");
    }
    const starts = ranges.map(({ disk, size }) => ({ start: disk, size }));
    if (overlap(starts)) throw refuse("ranges overlap");
    lists.set(name, ranges);
  }
  const [uids, gids] = [lists.get("uids"), lists.get("gids")];
  if (uids === undefined && gids === undefined) throw refuse("it maps nothing");
  // One list is for both, as with the option's inventors.
  return { kind: "map", uids: uids ?? gids ?? [], gids: gids ?? uids ?? [] };
}

export interface OwnersSituation {
  /** Of the container; undefined where it has no user namespace of its own. */
  map: IdMap | undefined;
  /** Of the container's user, as it knows them. */
  user: { uid: number; gid: number };
  /** Of the source, on disk. */
  source: { uid: number; gid: number };
}

/**
 * Inside: ids on disk; outside: those of the host that they are shown as. Undefined where all are what they are.
 * Throws "invalid" for an owner without a place in the container.
 */
export function ownersMap(owners: MountOwners, { map, user, source }: OwnersSituation): IdMap | undefined {
  switch (owners.kind) {
    case "container":
      if (map !== undefined) return map;
      throw new EngineError(
        "invalid",
        "the option idmap needs a user namespace of the container's own (--userns), or a map: idmap=uids=…;gids=…",
      );
    case "user": {
      if (map === undefined && user.uid === source.uid && user.gid === source.gid) return undefined;
      return {
        uids: exchange(map?.uids ?? ALL, source.uid, user.uid),
        gids: exchange(map?.gids ?? ALL, source.gid, user.gid),
      };
    }
    case "map":
      return { uids: placed(owners.uids, map?.uids), gids: placed(owners.gids, map?.gids) };
  }
}

const ALL: readonly IdRange[] = [{ inside: 0, outside: 0, size: MAX_ID }];

/** As `ranges`, but that each of two ids on disk stands for the other one. */
function exchange(ranges: readonly IdRange[], disk: number, shown: number): IdRange[] {
  if (disk === shown) return [...ranges];
  const others = [disk, shown].reduce((left, id) => left.flatMap((range) => without(range, id)), ranges);
  const pair = [
    { inside: disk, outside: toOutside(ranges, shown) },
    { inside: shown, outside: toOutside(ranges, disk) },
  ];
  return [
    ...others,
    ...pair.flatMap(({ inside, outside }) => (outside === undefined ? [] : { inside, outside, size: 1 })),
  ];
}

function without({ inside, outside, size }: IdRange, id: number): IdRange[] {
  if (id < inside || id >= inside + size) return [{ inside, outside, size }];
  const before = id - inside;
  return [
    { inside, outside, size: before },
    { inside: id + 1, outside: outside + before + 1, size: size - before - 1 },
  ].filter((range) => range.size > 0);
}

function placed(ranges: readonly OwnerRange[], container: readonly IdRange[] | undefined): IdRange[] {
  const result = ranges.map(({ disk, shown, size, relative }): IdRange => {
    if (!relative || container === undefined) return { inside: disk, outside: shown, size };
    const outside = toOutside(container, shown);
    if (outside === undefined || toOutside(container, shown + size - 1) !== outside + size - 1) {
      throw new EngineError(
        "invalid",
        `idmap: ids ${shown} to ${shown + size - 1} are not all in the container's namespace`,
      );
    }
    return { inside: disk, outside, size };
  });
  if (overlap(result.map(({ outside, size }) => ({ start: outside, size })))) {
    throw new EngineError("invalid", "idmap: two ids on disk would be shown as the same one");
  }
  return result;
}

function overlap(ranges: readonly { start: number; size: number }[]): boolean {
  const sorted = ranges.toSorted((a, b) => a.start - b.start);
  return sorted.some(({ start }, index) => {
    const before = sorted[index - 1];
    return before !== undefined && before.start + before.size > start;
  });
}
