import { expect, test } from "bun:test";
import { appendFileSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Digest, digestOf } from "#oci/digest.ts";
import { chunks, openTestStore } from "./testing.ts";

const hello = digestOf("hello world");

test("a blob is stored under its digest and read again", async () => {
  await using box = openTestStore();
  const { content } = box.store;
  expect(await content.ingest(chunks("hello", " ", "world"))).toEqual({ digest: hello, size: 11 });
  expect(content.has(hello)).toBe(true);
  expect(Buffer.from(await content.read(hello)).toString()).toBe("hello world");
  expect(content.list()).toEqual([{ digest: hello, size: 11 }]);
  expect(statSync(content.path(hello)).mode & 0o777).toBe(0o600);
  const long = digestOf("hello world", "sha512");
  expect(await content.put(Buffer.from("hello world"), { digest: long })).toEqual({ digest: long, size: 11 });
  await expect(content.read(hello, 5)).rejects.toMatchObject({ kind: "invalid" });
  expect(() => content.open(digestOf("absent"))).toThrow(`blob ${digestOf("absent")} not found`);
  expect(box.leftovers()).toEqual([]);
});

test("what is not as expected is refused, and leaves nothing", async () => {
  await using box = openTestStore();
  const { content } = box.store;
  const wrong = digestOf("something else");
  await expect(content.ingest(chunks("hello world"), { digest: wrong })).rejects.toThrow(
    `expected ${wrong}, but its content has digest ${hello}`,
  );
  await expect(content.ingest(chunks("hello"), { digest: hello, size: 11 })).rejects.toThrow("5 of 11 bytes");
  await expect(content.ingest(chunks("hello world"), { size: 10 })).rejects.toMatchObject({ kind: "invalid" });
  const broken = (async function* () {
    yield Buffer.from("hel");
    throw new Error("connection reset");
  })();
  await expect(content.ingest(broken, { digest: hello })).rejects.toThrow("connection reset");
  expect(content.list()).toEqual([]);
  expect(box.leftovers()).toEqual([]);
});

test("ingests of the same digest are joined", async () => {
  await using box = openTestStore();
  const { content } = box.store;
  let pulls = 0;
  const source = async function* () {
    pulls++;
    await Bun.sleep(5);
    yield Buffer.from("hello world");
  };
  const failing = content.ingest(chunks("other"), { digest: hello });
  const all = Array.from({ length: 5 }, () => content.ingest(source(), { digest: hello }));
  await expect(failing).rejects.toMatchObject({ kind: "invalid" });
  for (const blob of await Promise.all(all)) expect(blob).toEqual({ digest: hello, size: 11 });
  expect(pulls).toBe(1);
});

test("a download goes on where it broke off", async () => {
  await using box = openTestStore();
  const { content } = box.store;
  const expected = { digest: hello, size: 11 };
  {
    await using writer = await content.writer("ref", expected);
    await writer.write(Buffer.from("hello "));
  }
  const [partial = ""] = readdirSync(box.layout.ingest);
  const writer = await content.writer("ref", expected);
  const second = content.writer("ref", expected);
  expect(writer.offset).toBe(6);
  await expect(writer.write(Buffer.from("world, and more"))).rejects.toMatchObject({ kind: "invalid" });
  await writer.write(Buffer.from("world"));
  expect(await writer.commit()).toEqual(expected);
  await writer.close();
  await using fresh = await second;
  expect(fresh.offset).toBe(0);
  await fresh.write(Buffer.from("HELLO WORLD"));
  await expect(fresh.commit()).rejects.toMatchObject({ kind: "invalid" });
  expect(readdirSync(box.layout.ingest)).not.toContain(partial);
});

test("partials that nobody comes back for go", async () => {
  await using box = openTestStore();
  const { content } = box.store;
  const writer = await content.writer("ref", {});
  await writer.write(Buffer.from("x"));
  const [name = ""] = readdirSync(box.layout.ingest);
  utimesSync(join(box.layout.ingest, name), 1, 1);
  content.removeStalePartials();
  expect(readdirSync(box.layout.ingest)).toEqual([name]);
  await writer.close();
  content.removeStalePartials();
  expect(readdirSync(box.layout.ingest)).toEqual([]);
  writeFileSync(join(box.layout.ingest, "left by a crash"), "x");
  await box.reopen();
  await box.store.trash.idle();
  expect(box.leftovers()).toEqual([]);
});

test("a blob damaged on the disk is noticed when its layer is unpacked", async () => {
  await using box = openTestStore();
  const { content, layers } = box.store;
  const blob = await content.put(Bun.gzipSync(Buffer.alloc(1024)));
  appendFileSync(content.path(blob.digest), Bun.gzipSync(Buffer.from("more")));
  const diffId: Digest = digestOf(Buffer.alloc(1024));
  await expect(layers.apply(blob.digest, diffId)).rejects.toThrow("wrong diff id calculated on extraction");
});
