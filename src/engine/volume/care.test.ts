import { expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EngineContext } from "#engine/container/context.ts";
import type { ContainerRecord } from "#engine/container/record.ts";
import { containerSchema, ContainerStore } from "#engine/container/store.ts";
import { silentLogger } from "#lib/log.ts";
import { openDatabase } from "#store/database.ts";
import { Layout } from "#store/layout.ts";
import { Trash } from "#store/trash.ts";
import { VolumeCareJournal, volumeCareSchema } from "./care-journal.ts";
import { removeStaged } from "./content.ts";
import { readManifest, writeManifest } from "./manifest.ts";
import { finishRenames, withRenamedVolume } from "./rename.ts";
import { VolumeRows } from "./rows.ts";
import { volumeSchema } from "./schema.ts";
import { VolumeWorks } from "./works.ts";

function openVolumes() {
  const folder = mkdtempSync(join(tmpdir(), "berth-test-"));
  const layout = new Layout(join(folder, "data"), join(folder, "exec"));
  const db = openDatabase(layout.database, [volumeSchema, volumeCareSchema, containerSchema]);
  const rows = new VolumeRows(db);
  const labels = JSON.stringify({ "com.docker.volume.anonymous": "", a: "b" });
  rows.insert({ name: "old", created: 0, labels, anonymous: 1, options: null, project: null });
  rows.use("c1", "old", false);
  mkdirSync(layout.volumeData("old"), { recursive: true });
  const mounts = [{ type: "volume", source: layout.volumeData("old"), volume: { name: "old" } }];
  const record = JSON.stringify({ id: "c1", name: "c1", hostConfig: { Binds: ["old:/v"] }, mounts });
  db.query("INSERT INTO container (id, name, record, state) VALUES ('c1', 'c1', ?, '{}')").run(record);
  return {
    layout,
    rows,
    journal: new VolumeCareJournal(db),
    containers: new ContainerStore(db, () => undefined as never),
    engine: { log: silentLogger } as EngineContext,
    [Symbol.dispose]() {
      db.close();
      rmSync(folder, { recursive: true });
    },
  };
}

const rename = { old: "old", new: "new" };

test("a rename that was cut off behind the database is finished, whether the folder followed or not", () => {
  for (const followed of [false, true]) {
    using volumes = openVolumes();
    const { layout, journal, rows } = volumes;
    journal.rename(rename, () => {});
    if (followed) renameSync(join(layout.volumes, "old"), join(layout.volumes, "new"));
    finishRenames(volumes);
    expect(existsSync(layout.volumeData("new"))).toBe(true);
    expect(existsSync(join(layout.volumes, "old"))).toBe(false);
    expect(journal.renames()).toEqual([]);
    expect(rows.get("new")).toMatchObject({ anonymous: 0, labels: '{"a":"b"}' });
    expect(rows.users("new")).toEqual(["c1"]);
    expect(rows.get("old")).toBeUndefined();
  }
});

test("a rename whose folder cannot follow is taken back, with the containers' records", () => {
  using volumes = openVolumes();
  const { layout, journal, rows, containers } = volumes;
  const [container] = containers.all();
  const before = structuredClone(container?.record);
  const place = (volume: string): string => layout.volumeData(volume);
  journal.rename(rename, () => {
    for (const user of containers.all()) {
      containers.replaceRecord(user, withRenamedVolume(user.record, "old", "new", place));
    }
  });
  expect(container?.record.hostConfig.Binds).toEqual(["new:/v"]);
  mkdirSync(layout.volumeData("new"), { recursive: true });
  finishRenames(volumes);
  expect(journal.renames()).toEqual([]);
  expect(rows.get("new")).toBeUndefined();
  expect(rows.users("old")).toEqual(["c1"]);
  expect(existsSync(layout.volumeData("old"))).toBe(true);
  expect(container?.record).toMatchObject({ hostConfig: { Binds: before?.hostConfig.Binds }, mounts: before?.mounts });
});

test("a rename that fails in the database, or is taken back, has not happened", () => {
  using volumes = openVolumes();
  const { journal, rows } = volumes;
  const fail = (): void => {
    throw new Error("no room for records");
  };
  expect(() => journal.rename(rename, fail)).toThrow("no room for records");
  expect(rows.users("old")).toEqual(["c1"]);
  expect(journal.renames()).toEqual([]);
  journal.rename(rename, () => {});
  journal.takeBack(rename, () => {});
  expect(rows.users("old")).toEqual(["c1"]);
  expect(rows.get("new")).toBeUndefined();
  expect(journal.renames()).toEqual([]);
});

test("a record has the new name wherever it had the old one", () => {
  const place = (volume: string): string => `/volumes/${volume}/_data`;
  const mount = (name: string, source: string) => ({ type: "volume", source, volume: { name, anonymous: true } });
  const record = {
    hostConfig: {
      Binds: ["old:/a:ro", "old:/b", "older:/c", "/old:/d"],
      Mounts: [
        { Type: "volume", Source: "old", Target: "/e" },
        { Source: "old", Target: "/f" },
        { Type: "bind", Source: "old", Target: "/g" },
      ],
    },
    mounts: [mount("old", place("old")), mount("old", `${place("old")}/sub/path`), mount("older", place("older"))],
  } as unknown as ContainerRecord;
  const before = structuredClone(record);
  const named = (source: string) => ({ type: "volume", source, volume: { name: "new", anonymous: false } });
  expect(withRenamedVolume(record, "old", "new", place)).toEqual({
    hostConfig: {
      Binds: ["new:/a:ro", "new:/b", "older:/c", "/old:/d"],
      Mounts: [
        { Type: "volume", Source: "new", Target: "/e" },
        { Source: "new", Target: "/f" },
        { Type: "bind", Source: "old", Target: "/g" },
      ],
    },
    mounts: [named(place("new")), named(`${place("new")}/sub/path`), mount("older", place("older"))],
  } as unknown as ContainerRecord);
  expect(record).toEqual(before);
});

test("a manifest tells what it is of; others, and those to come, are refused", () => {
  const volume = {
    Name: "data",
    Labels: { a: "b" },
    Driver: "local",
    Options: null,
    Mountpoint: "/x",
    Scope: "local",
  } as const;
  const text = writeManifest(volume, new Date(0));
  expect(readManifest(text)).toEqual({
    volume: "data",
    labels: { a: "b" },
    driver: "local",
    options: {},
    created: "1970-01-01T00:00:00.000Z",
  });
  expect(() => readManifest(text.replace('"version": 1', '"version": 2'))).toThrow("written by a newer Berth");
  for (const other of ["", "[]", "{}", text.replace("berth", "other")]) {
    expect(() => readManifest(other)).toThrow("this is no backup of a volume");
  }
});

test("work on a volume is known until the last of it is over", () => {
  const works = new VolumeWorks();
  const first = works.begin("data", "backup");
  const second = works.begin("data", "copy");
  expect(works.of("data")).toEqual(["backup", "copy"]);
  first[Symbol.dispose]();
  expect(works.of("data")).toEqual(["copy"]);
  second[Symbol.dispose]();
  expect(works.of("data")).toEqual([]);
});

test("what a crash left beside the content of a volume goes, before the exchange or after it", async () => {
  using volumes = openVolumes();
  const { layout } = volumes;
  await using trash = new Trash(layout, silentLogger);
  const next = join(layout.volumes, "old/_next");
  mkdirSync(join(next, "half"), { recursive: true });
  removeStaged({ layout, trash });
  removeStaged({ layout, trash });
  expect(readdirSync(join(layout.volumes, "old"))).toEqual(["_data"]);
});

test("a volume whose folder cannot come to its place is none", () => {
  using volumes = openVolumes();
  const { journal, rows } = volumes;
  const fail = (): void => {
    throw new Error("no such folder");
  };
  expect(() => journal.adopt("fresh", {}, fail)).toThrow("no such folder");
  expect(rows.get("fresh")).toBeUndefined();
  journal.adopt("fresh", { a: "b" }, () => {});
  expect(rows.get("fresh")).toMatchObject({ labels: '{"a":"b"}', anonymous: 0, options: null });
  // The name was taken meanwhile.
  expect(() => journal.adopt("fresh", {}, () => {})).toThrow("UNIQUE");
});
