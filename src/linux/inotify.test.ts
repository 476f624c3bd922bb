import { expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, readdirSync, renameSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Inotify } from "./inotify.ts";

function box(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), "berth-inotify-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

test("no change is missed, however close they follow each other", async () => {
  using folder = box();
  using inotify = new Inotify();
  const file = join(folder.path, "log");
  writeFileSync(file, "");
  let changed = Promise.withResolvers<string>();
  using _watch = inotify.watch(file, (name) => changed.resolve(name));
  for (let round = 0; round < 200; round++) {
    appendFileSync(file, "x");
    expect(await changed.promise).toBe("");
    changed = Promise.withResolvers();
  }
});

test("names what appears in a folder; two may watch it; what is not there cannot be watched", async () => {
  using folder = box();
  using inotify = new Inotify();
  const [one, two] = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
  const first = inotify.watch(folder.path, (name) => name === "whole" && one.resolve(name));
  using _second = inotify.watch(folder.path, (name) => name === "next" && two.resolve(name));
  writeFileSync(join(folder.path, ".part"), "1");
  renameSync(join(folder.path, ".part"), join(folder.path, "whole"));
  expect(await one.promise).toBe("whole");
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  writeFileSync(join(folder.path, "next"), "");
  expect(await two.promise).toBe("next");
  expect(() => inotify.watch(join(folder.path, "absent"), () => {})).toThrow(
    expect.objectContaining({ kind: "not-found" }),
  );
});

test("the end of a file is told, and the descriptor goes with its owner", async () => {
  using folder = box();
  const inotify = new Inotify();
  const file = join(folder.path, "log");
  writeFileSync(file, "");
  const gone = Promise.withResolvers<void>();
  const watch = inotify.watch(file, () => gone.resolve());
  unlinkSync(file);
  await gone.promise;
  watch[Symbol.dispose]();
  const open = () => readdirSync("/proc/self/fdinfo").length;
  const before = open();
  inotify[Symbol.dispose]();
  const deadline = Date.now() + 2000;
  while (open() >= before && Date.now() < deadline) await Bun.sleep(5);
  expect(open()).toBeLessThan(before);
});
