import { afterEach, beforeEach, expect, test } from "bun:test";
import type { Database } from "bun:sqlite";
import {
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HostConfig } from "#api/types/container-config.ts";
import { silentLogger } from "#lib/log.ts";
import { openDatabase } from "#store/database.ts";
import { Layout } from "#store/layout.ts";
import { emptyHostConfig } from "#engine/spec/testing.ts";
import { resolveMounts } from "./resolve.ts";
import { volumeSchema } from "./schema.ts";
import { VolumeService } from "./service.ts";

let folder: string;
let layout: Layout;
let db: Database;
let volumes: VolumeService;
const events: string[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "berth-volumes-"));
  layout = new Layout(join(folder, "data"), join(folder, "exec"));
  db = openDatabase(layout.database, [volumeSchema]);
  events.length = 0;
  volumes = new VolumeService(db, layout, (_type, action, id) => events.push(`${action} ${id}`), silentLogger);
  await volumes.recover();
});
afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true });
});

const resolve = (changes: Partial<HostConfig>, image: string[] = []) =>
  resolveMounts({
    hostConfig: emptyHostConfig(changes),
    volumes: Object.fromEntries(image.map((path) => [path, {}])),
    mountsOf: () => [],
    volumePath: (name) => layout.volumeData(name),
  });

test("reads binds, named, anonymous and the image's volumes, parents first", () => {
  const mounts = resolve({ Binds: ["/srv:/data/deep:ro", "named:/data", "/anonymous"] }, ["/data", "/image"]);
  expect(mounts.map(({ type, destination, readOnly }) => [type, destination, readOnly])).toEqual([
    ["volume", "/anonymous", false],
    ["volume", "/data", false],
    ["volume", "/image", false],
    ["bind", "/data/deep", true],
  ]);
  expect(mounts.find(({ destination }) => destination === "/image")?.volume?.anonymous).toBe(true);
});

test.each([
  [{ Binds: ["a:b:c:d"] }, "invalid volume specification: 'a:b:c:d'"],
  [{ Binds: ["/a:/b:nonsense"] }, "invalid mode: nonsense"],
  [{ Binds: ["/a:/b", "/c:/b"] }, "Duplicate mount point: /b"],
  [{ Binds: ["/a:relative"] }, "mount path must be absolute"],
  [{ Binds: ["/a:/"] }, "destination can't be '/'"],
  [
    { Mounts: [{ Type: "bind" as const, Source: "/no/such/folder", Target: "/x" }] },
    "bind source path does not exist: /no/such/folder",
  ],
  [{ VolumeDriver: "nfs" }, 'plugin "nfs" not found'],
])("refuses %j", (changes, words) => {
  expect(() => resolve(changes)).toThrow(words);
});

test("a volume in use stays; an anonymous one goes with its last container", () => {
  const mounts = resolve({ Binds: ["named:/data", "/anonymous"] });
  volumes.acquire("c1", mounts);
  expect(() => volumes.remove("named", true)).toThrow("remove named: volume is in use - [c1]");
  expect(volumes.list({ dangling: ["true"] })).toEqual([]);
  volumes.release("c1", true);
  expect(volumes.list().map(({ Name }) => Name)).toEqual(["named"]);
  volumes.remove("named");
  expect(() => volumes.inspect("named")).toThrow("get named: no such volume");
  expect(events.map((event) => event.split(" ")[0])).toEqual(["create", "create", "destroy", "destroy"]);
});

test("a container's uses go as one with what tells of the container", () => {
  const mounts = resolve({ Binds: ["named:/data", "/anonymous"] });
  volumes.acquire("c1", mounts);
  const failing = () => {
    throw new Error("the disk is full");
  };
  expect(() => volumes.release("c1", true, failing)).toThrow("the disk is full");
  expect(volumes.list()).toHaveLength(2);
  expect(volumes.users("named")).toEqual(["c1"]);
  for (const { source } of mounts) expect(statSync(source).isDirectory()).toBe(true);
  volumes.release("c1", false);
  expect(volumes.allUsers()).toEqual([]);
  expect(volumes.list()).toHaveLength(2);
});

test("a new volume takes the image's content with its owner, once, and no link leads out of the image", async () => {
  const rootfs = join(folder, "rootfs");
  mkdirSync(join(rootfs, "data"), { recursive: true });
  writeFileSync(join(rootfs, "data/file"), "from the image");
  chownSync(join(rootfs, "data/file"), 123, 456);
  chownSync(join(rootfs, "data"), 12, 34);
  symlinkSync("/", join(rootfs, "escape"));
  const mounts = resolve({ Binds: ["named:/data", "other:/escape/etc"] });
  volumes.acquire("c1", mounts);
  await volumes.populate(mounts, rootfs);
  const data = layout.volumeData("named");
  expect(readFileSync(join(data, "file"), "utf8")).toBe("from the image");
  expect([statSync(join(data, "file")).uid, statSync(join(data, "file")).gid, statSync(data).uid]).toEqual([
    123, 456, 12,
  ]);
  rmSync(join(data, "file"));
  await volumes.populate(mounts, rootfs);
  expect(() => statSync(join(data, "file"))).toThrow();
  expect(() => statSync(join(layout.volumeData("other"), "passwd"))).toThrow();
});

test("containers that start at once fill a new volume one after the other, hence once", async () => {
  const mounts = resolve({ Binds: ["named:/data"] });
  volumes.acquire("c1", mounts);
  const images = ["first", "second", "third"].map((name) => {
    mkdirSync(join(folder, name, "data"), { recursive: true });
    for (let i = 0; i < 50; i++) writeFileSync(join(folder, name, "data", `${name}${i}`), "");
    return join(folder, name);
  });
  await Promise.all(images.map((rootfs) => volumes.populate(mounts, rootfs)));
  const names = readdirSync(layout.volumeData("named"));
  expect(names).toHaveLength(50);
  expect(names.every((name) => name.startsWith("first"))).toBe(true);
});

test("prune takes unused anonymous volumes, and named ones only when asked", async () => {
  volumes.create({ Name: "named" });
  const { Name } = volumes.create({});
  expect((await volumes.prune({})).VolumesDeleted).toEqual([Name]);
  expect((await volumes.prune({ all: ["true"] })).VolumesDeleted).toEqual(["named"]);
  expect(() => volumes.create({ Name: "x/y" })).toThrow("includes invalid characters");
});
