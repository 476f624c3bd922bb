/** What every implementation of Snapshots must do, mounted or not. */
import { describe, expect, test } from "bun:test";
import { type Digest, digestOf } from "#oci/digest.ts";
import type { Snapshots } from "./snapshots.ts";
import type { TarInput } from "./tar-writer.ts";

export interface SnapshotsUnderTest {
  snapshots: () => Snapshots;
  /** Stores and unpacks a layer. */
  layer: (...entries: readonly TarInput[]) => Promise<Digest>;
  /** Opens the same data again. */
  reopen: () => Promise<unknown>;
}

/** Registers the suite with bun:test; `open` is called once. */
export function describeSnapshots(name: string, open: () => SnapshotsUnderTest): void {
  describe(`snapshots: ${name}`, () => {
    const { snapshots, layer, reopen } = open();

    test("a prepared snapshot is writable, keeps its mounts and is listed until removed", async () => {
      const chain = [await layer({ name: "a" }), await layer({ name: "b" })];
      const mount = await snapshots().prepare("one", chain);
      expect(mount).toMatchObject({ type: "overlay", upper: expect.any(String), work: expect.any(String) });
      expect(await snapshots().mounts("one")).toEqual(mount);
      expect(snapshots().list()).toMatchObject([{ key: "one", kind: "active", chain }]);
      await reopen();
      expect(await snapshots().mounts("one")).toEqual(mount);
      await snapshots().remove("one");
      await snapshots().remove("one");
      expect(snapshots().list()).toEqual([]);
      await expect(snapshots().mounts("one")).rejects.toMatchObject({ kind: "not-found" });
    });

    test("the topmost layer comes first", async () => {
      const lower = await layer({ name: "lower" });
      const upper = await layer({ name: "upper" });
      const up = await snapshots().view("up", [lower, upper]);
      const down = await snapshots().view("down", [upper, lower]);
      expect(up.type === "overlay" && up.upper === undefined && up.lower.length === 2).toBe(true);
      expect(up.type === "overlay" && up.lower).toEqual(down.type === "overlay" && down.lower.toReversed());
      await snapshots().remove("up");
      await snapshots().remove("down");
    });

    test("an image without layers needs no overlay", async () => {
      expect(await snapshots().prepare("empty", [])).toMatchObject({ type: "bind", readOnly: false });
      expect(await snapshots().view("nothing", [])).toMatchObject({ type: "bind", readOnly: true });
      await snapshots().remove("empty");
      await snapshots().remove("nothing");
    });

    test("keys are unique, well-formed and known", async () => {
      await snapshots().prepare("taken", []);
      const unknown = { kind: "not-found" };
      await expect(snapshots().prepare("taken", [])).rejects.toMatchObject({ kind: "conflict" });
      await expect(snapshots().prepare("../x", [])).rejects.toMatchObject({ kind: "invalid" });
      await expect(snapshots().prepare("x", [digestOf("no layer")])).rejects.toMatchObject(unknown);
      await expect(snapshots().usage("x")).rejects.toMatchObject(unknown);
      await expect(snapshots().commit("x", digestOf("x"))).rejects.toMatchObject(unknown);
      await snapshots().remove("taken");
    });

    test("a committed snapshot is a layer", async () => {
      await snapshots().prepare("work", [await layer({ name: "a" })]);
      const diffId = digestOf("its diff");
      await snapshots().commit("work", diffId);
      expect(snapshots().list()).toEqual([]);
      await snapshots().prepare("next", [diffId]);
      await snapshots().remove("next");
      await snapshots().view("fixed", [diffId]);
      await expect(snapshots().commit("fixed", diffId)).rejects.toMatchObject({ kind: "conflict" });
      await snapshots().remove("fixed");
    });
  });
}
