import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserMaps } from "./maps.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-maps-"));
afterAll(() => rmSync(folder, { recursive: true }));

const files = (text: { subuid?: string; subgid?: string }) => {
  const write = (name: string, content: string) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  return {
    subuid: write("subuid", text.subuid ?? ""),
    subgid: write("subgid", text.subgid ?? ""),
    passwd: write("passwd", "anna:x:1000:1001::/:\n"),
    group: join(folder, "absent"),
  };
};

test("a user's ranges stack up, whether the files name or number it", () => {
  const both = files({
    subuid: "# comment\nanna:100000:1000\nother:5:5\n1000:300000:500\n",
    subgid: "anna:200000:65536\n",
  });
  const maps = new UserMaps({ remap: "anna" }, both);
  expect(maps.map("", undefined)).toEqual({
    uids: [
      { inside: 0, outside: 100_000, size: 1000 },
      { inside: 1000, outside: 300_000, size: 500 },
    ],
    gids: [{ inside: 0, outside: 200_000, size: 65536 }],
  });
  expect(maps.map("host", undefined)).toBeUndefined();
  expect(new UserMaps({ remap: "1000:anna" }, both).map("", undefined)?.uids).toHaveLength(2);
});

test("a user without subordinate ids is refused in Docker's words", () => {
  const none = files({ subuid: "anna:100000:1000\n" });
  expect(() => new UserMaps({ remap: "ben" }, none)).toThrow(
    `Can't create ID mappings: no subuid ranges found for user "ben"`,
  );
  expect(() => new UserMaps({ remap: "anna" }, none)).toThrow(
    `Can't create ID mappings: no subgid ranges found for group "anna"`,
  );
  expect(() => new UserMaps({ remap: "a:b:c" }, none)).toThrow("USER[:GROUP]");
  expect(() => new UserMaps({ pool: "ben" }, none)).toThrow("no subuid and subgid ranges");
  expect(() => new UserMaps({ pool: "0:10" }, none)).toThrow("--userns-pool");
});

test("the pool gives what is free, in the gaps and behind, and never the ids of the remapping", () => {
  const maps = new UserMaps(
    { pool: "1000:300", remap: "anna" },
    files({ subuid: "anna:1000:10\n", subgid: "anna:9:1\n" }),
  );
  const taken = [
    { start: 1110, size: 90 },
    { start: 1010, size: 50 },
  ];
  expect(maps.take(50, taken)).toEqual({ start: 1060, size: 50 });
  expect(maps.take(51, taken)).toEqual({ start: 1200, size: 51 });
  expect(maps.take(100, taken)).toEqual({ start: 1200, size: 100 });
  expect(() => maps.take(101, taken)).toThrow("no 101 ids are left");
});

test("a named pool holds what users and groups have in common", () => {
  const maps = new UserMaps({ pool: "anna" }, files({ subuid: "anna:100:100\n", subgid: "anna:150:100\n" }));
  expect(maps.take(50, [])).toEqual({ start: 150, size: 50 });
  expect(() => maps.take(51, [])).toThrow("are left");
});

test("keep leaves every id but root's where it is", () => {
  const { uids = [] } = new UserMaps({}, files({})).map("keep", { start: 5000, size: 1 }) ?? {};
  expect(uids).toEqual([
    { inside: 0, outside: 5000, size: 1 },
    { inside: 1, outside: 1, size: 4999 },
    { inside: 5001, outside: 5001, size: 2 ** 31 - 5002 },
  ]);
});
