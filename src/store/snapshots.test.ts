import { afterAll, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "#oci/digest.ts";
import { describeSnapshots } from "./snapshots-conformance.ts";
import type { Mount, OverlayMount } from "./snapshots.ts";
import { openTestStore } from "./testing.ts";

describeSnapshots("overlay folders", () => {
  const box = openTestStore();
  afterAll(() => box[Symbol.asyncDispose]());
  return {
    snapshots: () => box.store.snapshots,
    layer: (...entries) => box.layer(...entries),
    reopen: () => box.reopen(),
  };
});

function overlay(mount: Mount): OverlayMount {
  if (mount.type !== "overlay") throw new Error(`a ${mount.type} mount`);
  return mount;
}

test("the upper folder looks like the image's root", async () => {
  await using box = openTestStore();
  const base = await box.layer({ name: "./", type: "directory", mode: 0o711 });
  const { upper = "" } = overlay(await box.store.snapshots.prepare("a", [base]));
  expect(statSync(upper).mode & 0o7777).toBe(0o711);
});

test("usage counts what was written, removal takes it away", async () => {
  await using box = openTestStore();
  const { snapshots, trash } = box.store;
  const base = await box.layer({ name: "x" });
  const { upper = "" } = overlay(await snapshots.prepare("a", [base]));
  writeFileSync(join(upper, "file"), "12345");
  expect(await snapshots.usage("a")).toMatchObject({ content: 5, inodes: 2 });
  await snapshots.remove("a");
  expect(existsSync(upper)).toBe(false);
  await trash.idle();
  expect(box.leftovers()).toEqual([]);
});

test("a start mends what a crash left", async () => {
  await using box = openTestStore();
  await box.store.snapshots.prepare("kept", []);
  await box.store.snapshots.prepare("lost", []);
  mkdirSync(box.layout.snapshot("no-row"));
  Bun.spawnSync(["rm", "-r", box.layout.snapshot("lost")]);
  const { snapshots, trash } = await box.reopen();
  expect(snapshots.list().map(({ key }) => key)).toEqual(["kept"]);
  expect(readdirSync(box.layout.snapshots)).toEqual(["kept"]);
  await trash.idle();
});

test("commit moves the upper folder", async () => {
  await using box = openTestStore();
  const { snapshots, layers } = box.store;
  const { upper = "" } = overlay(await snapshots.prepare("a", [await box.layer({ name: "x" })]));
  writeFileSync(join(upper, "file"), "12345");
  chmodSync(join(upper, "file"), 0o4755);
  const diffId = digestOf("diff");
  await snapshots.commit("a", diffId);
  expect(statSync(join(layers.get(diffId)?.path ?? "", "file")).mode & 0o7777).toBe(0o4755);
  expect(snapshots.list()).toEqual([]);
});
