import { expect, test } from "bun:test";
import type { Digest } from "#oci/digest.ts";
import { openTestStore } from "./testing.ts";

const set = (...digests: Digest[]) => new Set(digests);

test("only what nothing names is collected", async () => {
  await using box = openTestStore();
  const { content, layers, snapshots, leases, garbage, trash } = box.store;
  const [rooted, leased, mounted, loose] = (await Promise.all(
    ["rooted", "leased", "mounted", "loose"].map((name) => box.layer({ name, content: Buffer.alloc(1000) })),
  )) as [Digest, Digest, Digest, Digest];
  const roots = () => ({ blobs: set(rooted), layers: set(rooted) });
  await snapshots.prepare("container", [mounted]);
  const lease = leases.create(leased);
  lease.add(leased);
  const collected = await garbage.collect(roots);
  expect(collected.layers).toEqual([loose]);
  expect(collected.blobs.toSorted()).toEqual([loose, mounted].toSorted());
  expect(layers.list()).toHaveLength(3);
  lease[Symbol.dispose]();
  lease[Symbol.dispose]();
  expect((await garbage.collect(roots)).layers).toEqual([leased]);
  await snapshots.remove("container");
  expect((await garbage.collect(roots)).layers).toEqual([mounted]);
  expect(content.list().map(({ digest }) => digest)).toEqual([rooted]);
  await trash.idle();
  expect(box.leftovers()).toEqual([]);
});

test("what comes into use while the collection runs is kept", async () => {
  await using box = openTestStore();
  const { content, garbage } = box.store;
  for (let n = 0; n < 250; n++) await content.put(Buffer.from(`${n}`));
  const last = content.list().at(-1)?.digest as Digest;
  let asked = 0;
  await garbage.collect(() => ({ blobs: ++asked > 2 ? set(last) : set(), layers: set() }));
  expect(content.list().map(({ digest }) => digest)).toEqual([last]);
});
