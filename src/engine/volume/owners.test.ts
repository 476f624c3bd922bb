import { expect, test } from "bun:test";
import type { IdMap } from "#linux/id-map.ts";
import { ownersMap, parseOwners } from "./owners.ts";

const all = 2 ** 32 - 1;
const root = { uid: 0, gid: 0 };

test("the owner of the source and the container's user change places, all others stay", () => {
  const map = ownersMap({ kind: "user" }, { map: undefined, user: { uid: 1000, gid: 5 }, source: { uid: 33, gid: 5 } });
  expect(map?.uids).toEqual([
    { inside: 0, outside: 0, size: 33 },
    { inside: 34, outside: 34, size: 966 },
    { inside: 1001, outside: 1001, size: all - 1001 },
    { inside: 33, outside: 1000, size: 1 },
    { inside: 1000, outside: 33, size: 1 },
  ]);
  expect(map?.gids).toEqual([{ inside: 0, outside: 0, size: all }]);
  expect(ownersMap({ kind: "user" }, { map: undefined, user: root, source: root })).toBeUndefined();
});

test("in a user namespace they change places among its ids, and what has no place there gets none", () => {
  const map: IdMap = {
    uids: [{ inside: 0, outside: 100_000, size: 65_536 }],
    gids: [{ inside: 0, outside: 200_000, size: 10 }],
  };
  const shown = ownersMap({ kind: "user" }, { map, user: { uid: 1, gid: 1 }, source: { uid: 70_000, gid: 3 } });
  expect(shown?.uids).toEqual([
    { inside: 0, outside: 100_000, size: 1 },
    { inside: 2, outside: 100_002, size: 65_534 },
    { inside: 70_000, outside: 100_001, size: 1 },
  ]);
  expect(shown?.gids).toContainEqual({ inside: 3, outside: 200_001, size: 1 });
  expect(shown?.gids).toContainEqual({ inside: 1, outside: 200_003, size: 1 });
  expect(ownersMap({ kind: "container" }, { map, user: root, source: root })).toBe(map);
  expect(() => ownersMap({ kind: "container" }, { map: undefined, user: root, source: root })).toThrow("--userns");
});

test("maps are read as podman writes them", () => {
  const owners = parseOwners("uids=0-1-10#10-11-10;gids=@0-5-2");
  const container: IdMap = { uids: [], gids: [{ inside: 0, outside: 9000, size: 100 }] };
  expect(ownersMap(owners, { map: container, user: root, source: root })).toEqual({
    uids: [
      { inside: 0, outside: 1, size: 10 },
      { inside: 10, outside: 11, size: 10 },
    ],
    gids: [{ inside: 0, outside: 9005, size: 2 }],
  });
  expect(ownersMap(parseOwners("uids=5-0-1"), { map: undefined, user: root, source: root })).toEqual({
    uids: [{ inside: 5, outside: 0, size: 1 }],
    gids: [{ inside: 5, outside: 0, size: 1 }],
  });
});

test.each([
  "",
  "nonsense",
  "uids=",
  "uids=1-2",
  "uids=0-0-0",
  "uids=0-0-9#5-20-9",
  "uids=0-0-4294967296",
  "uids=0-0-1;uids=1-1-1",
])("refuses %j", (text) => {
  expect(() => parseOwners(text)).toThrow("invalid idmap option");
});
