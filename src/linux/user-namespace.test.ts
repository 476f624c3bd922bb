import { afterAll, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bindMount } from "./bind-mount.ts";
import { type IdMap, idMapOf, toInside, toOutside } from "./id-map.ts";
import { mountSnapshot, shiftedFolder, unmount } from "./mount.ts";
import { listMounts } from "./mountinfo.ts";
import { OwnerShift, UserNamespace } from "./user-namespace.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-users-"));
chmodSync(folder, 0o711);
afterAll(() => {
  for (const { mountPoint } of listMounts(folder).toReversed()) unmount(mountPoint, { detach: true });
  rmSync(folder, { recursive: true });
});

const ranges = [
  { inside: 0, outside: 500_000, size: 1000 },
  { inside: 1000, outside: 700_000, size: 10 },
];
const map: IdMap = { uids: ranges, gids: ranges };

/** Runs a script as the user that id 0 of the map is. */
function asMapped(script: string): string {
  const uid = 500_000;
  const { stdout, stderr } = Bun.spawnSync([
    "setpriv",
    `--reuid=${uid}`,
    `--regid=${uid}`,
    "--clear-groups",
    "sh",
    "-c",
    script,
  ]);
  expect(stderr.toString()).toBe("");
  return stdout.toString();
}

test("ids are looked up both ways", () => {
  expect([0, 999, 1009, 1010].map((id) => toOutside(ranges, id))).toEqual([500_000, 500_999, 700_009, undefined]);
  expect([500_000, 700_009, 0].map((id) => toInside(ranges, id))).toEqual([0, 1009, 65534]);
});

test("a user namespace has the map and a network of its own, and ends when it is disposed of", async () => {
  let pid: number;
  {
    await using namespace = await UserNamespace.create(map, { network: true });
    pid = namespace.pid;
    expect(idMapOf(pid)).toEqual(map);
    expect(readlinkSync(namespace.path("user"))).not.toBe(readlinkSync("/proc/self/ns/user"));
    expect(readlinkSync(namespace.path("net"))).not.toBe(readlinkSync("/proc/self/ns/net"));
  }
  expect(existsSync(`/proc/${pid}/ns`)).toBe(false);
  expect(idMapOf(process.pid)).toBeUndefined();
});

test("its process ends with whoever made it, even by a kill", async () => {
  const script = `
    const { UserNamespace } = await import(${JSON.stringify(join(import.meta.dir, "user-namespace.ts"))});
    const namespace = await UserNamespace.create(${JSON.stringify(map)});
    console.log(namespace.pid);
    await Bun.sleep(600_000);
  `;
  const maker = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
  const { value } = await maker.stdout.getReader().read();
  const pid = Number(new TextDecoder().decode(value));
  expect(idMapOf(pid)).toEqual(map);
  maker.kill("SIGKILL");
  await maker.exited;
  while (existsSync(`/proc/${pid}/exe`) && readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.[0] !== "Z") {
    await Bun.sleep(5);
  }
});

test("a map that the kernel does not take is refused", async () => {
  const twice = { uids: [...ranges, { inside: 5, outside: 9, size: 1 }], gids: ranges };
  await expect(UserNamespace.create(twice)).rejects.toMatchObject({
    kind: "unavailable",
    message: expect.stringMatching(/^cannot make a user namespace: /) as string,
  });
});

test("layers are seen and changed with shifted owners, and hold plain ones on disk", async () => {
  using owners = await OwnerShift.create(map);
  const [lower, other, upper, work, target] = ["layers/a", "layers/b", "box/fs", "box/work", "root"].map((name) => {
    mkdirSync(join(folder, name), { recursive: true });
    return join(folder, name);
  }) as [string, string, string, string, string];
  for (const name of ["kept", "changed", "gone"]) writeFileSync(join(lower, name), name);
  chownSync(join(lower, "changed"), 0, 7);
  mountSnapshot({ type: "overlay", lower: [other, lower], upper, work }, target, { owners });
  expect(statSync(join(target, "kept"))).toMatchObject({ uid: 500_000, gid: 500_000 });
  expect(statSync(join(target, "changed"))).toMatchObject({ uid: 500_000, gid: 500_007 });
  expect(
    asMapped(`cd ${target} && echo new >new && echo more >>changed && rm gone && mkdir folder && cat changed`),
  ).toBe("changedmore\n");
  expect(statSync(join(upper, "new"))).toMatchObject({ uid: 0, gid: 0 });
  expect(statSync(join(upper, "changed"))).toMatchObject({ uid: 0, gid: 7 });
  expect(statSync(join(upper, "gone")).isCharacterDevice()).toBe(true);
  expect(readFileSync(join(lower, "changed"), "utf8")).toBe("changed");
  // The mounts in between have gone with their folder.
  expect(existsSync(shiftedFolder(target))).toBe(false);
  expect(listMounts(folder)).toHaveLength(1);
  unmount(target);
});

test("a folder is bound with shifted owners, and one whose file system cannot is named", async () => {
  using owners = await OwnerShift.create(map);
  const [source, target] = [join(folder, "source"), join(folder, "bound")];
  mkdirSync(source);
  mkdirSync(target);
  bindMount(source, target, { owners });
  asMapped(`touch ${target}/file`);
  expect(statSync(join(source, "file"))).toMatchObject({ uid: 0, gid: 0 });
  unmount(target);
  expect(() => bindMount("/proc/self", target, { owners })).toThrow(
    "cannot map the owners of the files in /proc/self into a user namespace: its file system",
  );
});
