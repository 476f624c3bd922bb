import { afterAll, expect, test } from "bun:test";
import {
  closeSync,
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
import { lockFile, openInRoot, spreadFolders, writeAtomically } from "./files.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-files-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("no link leads out of the root", () => {
  const root = join(folder, "root");
  mkdirSync(join(root, "etc"), { recursive: true });
  writeFileSync(join(folder, "secret"), "outside");
  writeFileSync(join(root, "etc/passwd"), "inside");
  symlinkSync("/etc", join(root, "absolute"));
  symlinkSync("../../../..", join(root, "up"));
  symlinkSync(join(folder, "secret"), join(root, "direct"));
  const read = (path: string): string => {
    const fd = openInRoot(root, path, 0);
    try {
      return readFileSync(fd, "utf8");
    } finally {
      closeSync(fd);
    }
  };
  expect(read("absolute/passwd")).toBe("inside");
  expect(read("up/etc/passwd")).toBe("inside");
  expect(() => read("direct")).toThrow("ENOENT");
});

test("a lock excludes others until it is released", () => {
  const path = join(folder, "lock");
  {
    using _ = lockFile(path);
    expect(() => lockFile(path)).toThrow("is locked by another process");
  }
  using _ = lockFile(path);
});

test("an atomic write replaces content and mode", () => {
  const path = join(folder, "file");
  writeAtomically(path, "one");
  writeAtomically(path, "two", 0o640);
  expect(readFileSync(path, "utf8")).toBe("two");
  expect(statSync(path).mode & 0o777).toBe(0o640);
});

test("folders are spread where the file system knows how, and left alone elsewhere", () => {
  const parent = join(folder, "spread");
  mkdirSync(parent);
  spreadFolders(parent);
  mkdirSync(join(parent, "x"));
  expect(readdirSync(parent)).toEqual(["x"]);
  spreadFolders("/proc/self"); // no flags there
});
