import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mountOverlay, unmount } from "./mount.ts";
import { overlayChanges } from "./overlay-changes.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-changes-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Each of `steps` works on what the ones before left, in a layer of its own; the last layer is the upper one. */
async function changesOf(...steps: readonly ((root: string) => void)[]): Promise<string[]> {
  const base = mkdtempSync(join(folder, "case-"));
  const layers: string[] = [join(base, "bottom")];
  mkdirSync(join(base, "bottom"));
  for (const [index, step] of steps.entries()) {
    const [upper, work, merged] = ["upper", "work", "merged"].map((name) => join(base, `${name}${index}`)) as [
      string,
      string,
      string,
    ];
    for (const path of [upper, work, merged]) mkdirSync(path);
    mountOverlay({ target: merged, lowerDirs: layers, upperDir: upper, workDir: work });
    try {
      step(merged);
    } finally {
      unmount(merged);
    }
    layers.unshift(upper);
  }
  const [upper = "", ...lower] = layers;
  return (await Array.fromAsync(overlayChanges(upper, lower))).map(({ path, kind }) => `${kind} ${path}`).toSorted();
}

const write = (...names: string[]) => {
  return (root: string) => {
    for (const name of names) {
      mkdirSync(join(root, name, ".."), { recursive: true });
      writeFileSync(join(root, name), name);
    }
  };
};
const remove = (...names: string[]) => {
  return (root: string) => {
    for (const name of names) rmSync(join(root, name), { recursive: true });
  };
};

test("what is new, changed and gone, by the layers below taken together", async () => {
  const first = write("a/kept", "a/gone", "b/inner/deep", "was");
  expect(await changesOf(first)).toEqual([
    "added a",
    "added a/gone",
    "added a/kept",
    "added b",
    "added b/inner",
    "added b/inner/deep",
    "added was",
  ]);
  const second = (root: string) => {
    write("a/kept", "a/grüße")(root);
    remove("a/gone", "was")(root);
    symlinkSync("/etc", join(root, "link"));
  };
  expect(await changesOf(first, second)).toEqual([
    "added a/grüße",
    "added link",
    "deleted a/gone",
    "deleted was",
    "modified a",
    "modified a/kept",
  ]);
  // What a layer between has taken away is new again.
  expect(await changesOf(first, remove("was", "b"), write("was", "b/inner/other"))).toEqual([
    "added b",
    "added b/inner",
    "added b/inner/other",
    "added was",
  ]);
});

test("a folder made anew hides what the layers have in it", async () => {
  const first = write("d/one", "d/two", "d/sub/three");
  const anew = (root: string) => {
    remove("d")(root);
    write("d/two")(root);
  };
  expect(await changesOf(first, anew)).toEqual(["deleted d/one", "deleted d/sub", "modified d", "modified d/two"]);
  expect(await changesOf(first, anew, write("d/one"))).toEqual(["added d/one", "modified d"]);
});

test("links of the upper folder do not lead out of it", async () => {
  const swap = (root: string) => {
    remove("d")(root);
    symlinkSync("/", join(root, "d"));
  };
  expect(await changesOf(write("d/one"), swap)).toEqual(["modified d"]);
});
