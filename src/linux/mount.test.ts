import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  mountFileSystem,
  mountOverlay,
  mountOverlayByString,
  mountSnapshot,
  mountTmpfs,
  type OverlayMount,
  unmount,
} from "./mount.ts";
import { bindMount } from "./bind-mount.ts";
import { listMounts, parseMountinfo } from "./mountinfo.ts";
import { SyscallError } from "./syscall-error.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-mount-"));
const target = join(folder, "target");
beforeAll(() => mkdirSync(target));
afterAll(() => {
  for (const { mountPoint } of listMounts(folder).toReversed()) unmount(mountPoint, { detach: true });
  rmSync(folder, { recursive: true });
});

function directory(name: string, files: Record<string, string> = {}): string {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
  return path;
}

for (const [how, mount] of [
  ["lists of layers", mountOverlay],
  ["one string", mountOverlayByString],
] as const) {
  test(`stacks layers by ${how}, the first on top`, () => {
    const lowerDirs = [
      directory(`top ${how}`, { both: "top" }),
      directory(`a,b:c\\d ${how}`, { both: "bottom", lower: "yes" }),
    ];
    const upperDir = directory(`upper ${how}`);
    mount({ lowerDirs, upperDir, workDir: directory(`work ${how}`), target, volatile: true });
    expect(readFileSync(join(target, "both"), "utf8")).toBe("top");
    expect(readFileSync(join(target, "lower"), "utf8")).toBe("yes");
    writeFileSync(join(target, "new"), "");
    rmSync(join(target, "lower"));
    expect(readdirSync(upperDir).toSorted()).toEqual(["lower", "new"]);
    // Newer kernels show it as fsync=volatile.
    expect(listMounts(target)[0]?.superOptions.join(" ")).toMatch(/\b(fsync=)?volatile\b/);
    expect(unmount(target)).toBe(true);
  });

  test(`mounts 150 layers read-only by ${how}`, () => {
    const lowerDirs = Array.from({ length: 150 }, (_, i) =>
      directory(`${how}/layer with a long name ${i}`, { [`f${i}`]: "" }),
    );
    mount({ lowerDirs, target });
    expect(readdirSync(target)).toHaveLength(150);
    expect(() => writeFileSync(join(target, "x"), "")).toThrow("EROFS");
    unmount(target);
  });

  test(`says which layer is missing, by ${how}`, () => {
    const lowerDirs = Array.from({ length: 150 }, (_, i) => directory(`${how}/layer with a long name ${i}`));
    lowerDirs[70] = join(folder, "absent");
    const error = caught(() => mount({ lowerDirs, target }));
    expect(error).toMatchObject({ kind: "not-found", code: "ENOENT" });
    expect(error.message).toStartWith(`cannot mount overlay at ${target}: `);
    expect(error.message).toContain(lowerDirs[70]);
    expect(listMounts(target)).toEqual([]);
  });
}

test("stacks 499 layers and explains that 501 are too many", () => {
  const lowerDirs = Array.from({ length: 501 }, (_, i) => directory(`many/${i}`, { [`f${i}`]: "" }));
  mountOverlay({ lowerDirs: lowerDirs.slice(0, 499), target });
  expect(readdirSync(target)).toHaveLength(499);
  unmount(target);
  expect(caught(() => mountOverlay({ lowerDirs, target })).message).toContain("500");
});

test("mounts a single layer without an upper folder, and refuses half an upper folder", () => {
  const lower = directory("single", { file: "x" });
  mountSnapshot({ type: "overlay", lower: [lower] }, target);
  expect(readFileSync(join(target, "file"), "utf8")).toBe("x");
  expect(() => writeFileSync(join(target, "y"), "")).toThrow("EROFS");
  unmount(target);
  const half: OverlayMount = { lowerDirs: [lower], upperDir: lower, target };
  expect(() => mountOverlay(half)).toThrow("work folder");
});

test("bind-mounts files and folders, read-only where asked", () => {
  const source = directory("source/below");
  mountTmpfs(source, { size: 1 << 20, mode: 0o700, flags: ["nosuid", "noexec"] });
  writeFileSync(join(source, "file"), "text");
  const outer = join(folder, "source");

  bindMount(outer, target);
  expect(readdirSync(join(target, "below"))).toEqual([]);
  unmount(target);

  bindMount(outer, target, { recursive: true, readOnly: true, propagation: "rprivate" });
  writeFileSync(join(target, "below/again"), "");
  expect(() => writeFileSync(join(target, "x"), "")).toThrow("EROFS");
  unmount(target, { detach: true });

  bindMount(outer, target, { recursive: true, readOnly: "recursive", propagation: "rslave" });
  expect(() => writeFileSync(join(target, "below/again"), "")).toThrow("EROFS");
  unmount(target, { detach: true });

  const file = join(folder, "file");
  writeFileSync(file, "");
  bindMount(join(source, "file"), file, { propagation: "shared" });
  expect(readFileSync(file, "utf8")).toBe("text");
  expect(listMounts(file)[0]?.propagation[0]).toStartWith("shared:");
  unmount(file);
  expect(unmount(source)).toBe(true);
});

test("tells what it could not mount, and why", () => {
  expect(caught(() => mountFileSystem(target, { type: "nosuchfs" }))).toMatchObject({ call: "fsopen", code: "ENODEV" });
  const error = caught(() => mountFileSystem(target, { type: "tmpfs", options: { size: "many" } }));
  expect(error.message).toMatch(/^cannot mount tmpfs at .*: fsconfig size=many: EINVAL Invalid argument \(.*size/);
  expect(caught(() => bindMount(join(folder, "absent"), target))).toMatchObject({
    kind: "not-found",
    call: "open_tree",
  });
  expect(caught(() => bindMount(folder, join(folder, "absent")))).toMatchObject({
    kind: "not-found",
    call: "move_mount",
  });
});

test("unmounts only what is mounted", () => {
  expect(unmount(target)).toBe(false);
  expect(unmount(join(folder, "absent"))).toBe(false);
  mountTmpfs(target);
  mountTmpfs(target);
  expect([unmount(target), unmount(target), unmount(target)]).toEqual([true, true, false]);
});

test("reads mountinfo with optional fields and escapes", () => {
  const [mount] = parseMountinfo(
    "36 35 98:0 /mnt1 /mnt\\0402\\134x rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue\n",
  );
  expect(mount).toEqual({
    id: 36,
    parent: 35,
    device: "98:0",
    root: "/mnt1",
    mountPoint: "/mnt 2\\x",
    options: ["rw", "noatime"],
    propagation: ["master:1", "shared:2"],
    type: "ext3",
    source: "/dev/root",
    superOptions: ["rw", "errors=continue"],
  });
  expect(listMounts("/proc")[0]).toMatchObject({ mountPoint: "/proc", type: "proc" });
});

function caught(work: () => void): SyscallError {
  try {
    work();
  } catch (error) {
    if (error instanceof SyscallError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
