import { afterEach, beforeEach, expect, test } from "bun:test";
import type { Database } from "bun:sqlite";
import {
  chownSync,
  existsSync,
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
import { EngineError } from "#lib/errors.ts";
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
    imageOf: (reference) => {
      throw new EngineError("not-found", `No such image: ${reference}`);
    },
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
  [
    { Binds: ["a:/"] },
    `invalid volume specification: 'a:/': invalid mount config for type "volume": invalid specification: destination can't be '/'`,
  ],
  [
    { Mounts: [{ Type: "bind" as const, Source: "/no/such/folder", Target: "/x" }] },
    "bind source path does not exist: /no/such/folder",
  ],
  [
    { VolumeDriver: "nfs", Binds: ["some:/a"] },
    'create some: error looking up volume plugin nfs: plugin "nfs" not found',
  ],
  [{ Binds: ["some:/a:rshared"] }, 'invalid mount config for type "volume": field BindOptions must not be specified'],
])("refuses %j", (changes, words) => {
  expect(() => resolve(changes)).toThrow(words);
});

test("a volume in use stays; an anonymous one goes with its last container", async () => {
  const mounts = resolve({ Binds: ["named:/data", "/anonymous"] });
  volumes.acquire("c1", mounts);
  await expect(volumes.remove("named", true)).rejects.toThrow("remove named: volume is in use - [c1]");
  expect(volumes.list({ dangling: ["true"] })).toEqual([]);
  volumes.release("c1", true);
  expect(volumes.list().map(({ Name }) => Name)).toEqual(["named"]);
  await volumes.remove("named");
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

test("rm -v leaves an anonymous volume that a container called by its name", () => {
  const { Name } = volumes.create({});
  volumes.acquire("c1", resolve({ Binds: [`${Name}:/data`] }));
  volumes.release("c1", true);
  expect(volumes.has(Name)).toBe(true);
});

test("an existing volume is answered whatever is asked of it now", () => {
  const options = { type: "tmpfs", device: "tmpfs" };
  volumes.create({ Name: "same", DriverOpts: options, Labels: { a: "b" } });
  expect(volumes.create({ Name: "same", DriverOpts: { size: "1g" } })).toMatchObject({ Options: options });
  expect(() => volumes.create({ Name: "same", Driver: "other" })).toThrow('plugin "other" not found');
});

test("an empty volume is filled for each new container, and once for each", async () => {
  const rootfs = join(folder, "rootfs");
  mkdirSync(join(rootfs, "data"), { recursive: true });
  writeFileSync(join(rootfs, "data/file"), "");
  const mounts = resolve({ Binds: ["named:/data"] });
  const file = join(layout.volumeData("named"), "file");
  for (const container of ["c1", "c2"]) {
    volumes.acquire(container, mounts);
    await volumes.populate(container, mounts, rootfs);
    expect(existsSync(file)).toBe(true);
    rmSync(file);
    await volumes.populate(container, mounts, rootfs);
    expect(existsSync(file)).toBe(false);
  }
});

test("names match as text and as expressions", () => {
  for (const Name of ["data-1", "data-2", "other"]) volumes.create({ Name });
  const named = (name: string) => volumes.list({ name: [name] }).map(({ Name }) => Name);
  expect(named("data")).toEqual(["data-1", "data-2"]);
  expect(named("^.*-[2-9]$")).toEqual(["data-2"]);
  expect(named("[")).toEqual([]);
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
  await volumes.populate("c1", mounts, rootfs);
  const data = layout.volumeData("named");
  expect(readFileSync(join(data, "file"), "utf8")).toBe("from the image");
  expect([statSync(join(data, "file")).uid, statSync(join(data, "file")).gid, statSync(data).uid]).toEqual([
    123, 456, 12,
  ]);
  rmSync(join(data, "file"));
  await volumes.populate("c1", mounts, rootfs);
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
  await Promise.all(images.map((rootfs) => volumes.populate("c1", mounts, rootfs)));
  const names = readdirSync(layout.volumeData("named"));
  expect(names).toHaveLength(50);
  expect(names.every((name) => name.startsWith("first"))).toBe(true);
});

test("prune takes volumes that cannot be measured, and goes on behind one that cannot be removed", async () => {
  for (const Name of ["aa", "bb", "cc"]) volumes.create({ Name });
  rmSync(layout.volumeData("aa"), { recursive: true });
  const clear = volumes.mounts.clear.bind(volumes.mounts);
  volumes.mounts.clear = (name) => (name === "bb" ? Promise.reject(new Error("a mount resists")) : clear(name));
  expect((await volumes.prune({ all: ["true"] })).VolumesDeleted).toEqual(["aa", "cc"]);
  expect(volumes.list().map(({ Name }) => Name)).toEqual(["bb"]);
});

test("a volume whose folder cannot be made is not created", () => {
  writeFileSync(join(layout.volumes, "blocked"), "");
  expect(() => volumes.create({ Name: "blocked" })).toThrow();
  expect(volumes.has("blocked")).toBe(false);
  expect(events).toEqual([]);
});

test("prune takes unused anonymous volumes, and named ones only when asked", async () => {
  volumes.create({ Name: "named" });
  const { Name } = volumes.create({});
  expect((await volumes.prune({})).VolumesDeleted).toEqual([Name]);
  expect((await volumes.prune({ all: ["true"] })).VolumesDeleted).toEqual(["named"]);
  expect(() => volumes.create({ Name: "x/y" })).toThrow("includes invalid characters");
});
