import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "#oci/digest.ts";
import { writeTar } from "./tar-writer.ts";
import { bytesOf, chunks, openTestStore } from "./testing.ts";

test("a layer is unpacked once, however often it is asked for", async () => {
  await using box = openTestStore();
  const { content, layers } = box.store;
  const tar = await bytesOf(
    writeTar([
      { name: "a/", type: "directory" },
      { name: "a/b", content: Buffer.from("b") },
    ]),
  );
  const blob = await content.put(Bun.zstdCompressSync(tar));
  const diffId = digestOf(tar);
  const all = await Promise.all(Array.from({ length: 6 }, () => layers.apply(blob.digest, diffId)));
  expect(new Set(all.map(({ path }) => path)).size).toBe(1);
  expect(all[0]).toMatchObject({ diffId, size: 1 });
  expect(readFileSync(join(all[0]?.path ?? "", "a/b"), "latin1")).toBe("b");
  expect(layers.size([diffId, diffId])).toBe(2);
  expect(layers.list()).toEqual([layers.get(diffId) as never]);
  expect(box.leftovers()).toEqual([]);
});

test("one caller's abort does not take the layer from another", async () => {
  await using box = openTestStore();
  const { content, layers } = box.store;
  const { digest } = await content.ingest(writeTar([{ name: "x", content: Buffer.alloc(100_000) }]));
  const stop = new AbortController();
  const aborted = layers.apply(digest, digest, stop.signal);
  const kept = layers.apply(digest, digest);
  stop.abort(new Error("changed my mind"));
  await expect(aborted).rejects.toThrow("changed my mind");
  expect(await kept).toMatchObject({ diffId: digest });
});

test("failures leave nothing", async () => {
  await using box = openTestStore(undefined, { maxBytes: 1000 });
  const { content, layers, trash } = box.store;
  const { digest } = await content.ingest(writeTar([{ name: "x", content: Buffer.alloc(1001) }]));
  await expect(layers.apply(digest, digest)).rejects.toThrow("larger than the limit of 1000 bytes");
  await expect(layers.apply(digest, digestOf("other"))).rejects.toMatchObject({ kind: "invalid" });
  await expect(layers.apply(digestOf("absent"), digestOf("absent"))).rejects.toMatchObject({ kind: "not-found" });
  const stop = new AbortController();
  const aborted = layers.apply(digest, digest, stop.signal);
  stop.abort(new Error("enough"));
  await expect(aborted).rejects.toThrow("enough");
  await box.reopen();
  await box.store.trash.idle();
  await trash.idle();
  expect(box.leftovers()).toEqual([]);
  expect(readdirSync(box.layout.layers)).toEqual([]);
});

test("directories that an archive lacks look as they do in the layers below", async () => {
  await using box = openTestStore();
  const { layers } = box.store;
  const base = await box.layer(
    { name: "./", type: "directory", mode: 0o711 },
    { name: "tmp/", type: "directory", mode: 0o1777 },
    { name: "usr/", type: "directory", mode: 0o755 },
    { name: "usr/secret/", type: "directory", mode: 0o700 },
    { name: "link", type: "symlink", linkName: "/etc" },
  );
  const upper = await box.layer({ name: "tmp/x" }, { name: "usr/secret/deep/y" }, { name: "link/z" });
  const plain = await box.layer({ name: "usr/local/file" });
  const stack = await layers.stack([base, upper, plain]);
  expect(stack).toHaveLength(4);
  expect(stack[0]).toBe(layers.get(plain)?.path ?? "");
  expect(stack[2]).toBe(layers.get(upper)?.path ?? "");
  const parents = stack[1] ?? "";
  expect(statSync(join(parents, "tmp")).mode & 0o7777).toBe(0o1777);
  expect(statSync(join(parents, "usr/secret")).mode & 0o7777).toBe(0o700);
  expect(existsSync(join(parents, "usr/secret/deep"))).toBe(false);
  expect(existsSync(join(parents, "link"))).toBe(false);
  expect(await layers.stack([base, upper, plain])).toEqual(stack);
  expect(await layers.stack([upper])).toHaveLength(1);
  expect(layers.rootAttributes([base, upper])).toEqual({ mode: 0o711, uid: 0, gid: 0 });
  layers.remove(base);
  expect(existsSync(parents)).toBe(false);
});

test("a folder filled otherwise becomes a layer", async () => {
  await using box = openTestStore();
  const folder = join(box.layout.dataRoot, "filled");
  mkdirSync(folder);
  writeFileSync(join(folder, "file"), "12345");
  const diffId = digestOf("its tar");
  expect(await box.store.layers.adopt(folder, diffId)).toMatchObject({ diffId, size: 5 });
  expect(existsSync(folder)).toBe(false);
  expect(await box.store.layers.stack([diffId])).toHaveLength(1);
});

test("a start mends what a crash left", async () => {
  await using box = openTestStore();
  const kept = await box.layer({ name: "a" });
  const lost = await box.layer({ name: "b" });
  mkdirSync(box.layout.layer("no row"));
  mkdirSync(join(box.layout.temporary, "half"));
  Bun.spawnSync(["rm", "-r", box.store.layers.get(lost)?.path ?? ""]);
  const store = await box.reopen();
  await store.trash.idle();
  expect(store.layers.list().map(({ diffId }) => diffId)).toEqual([kept]);
  expect(readdirSync(box.layout.layers)).toHaveLength(1);
  expect(box.leftovers()).toEqual([]);
});

test("kill -9 in the middle of unpacking takes the helper along, and the next start cleans up", async () => {
  await using box = openTestStore();
  const entries = Array.from({ length: 10_000 }, (_, n) => ({
    name: `d${n % 50}/f${n}`,
    content: Buffer.from(`${n}`),
  }));
  const { digest } = await box.store.content.put(await bytesOf(writeTar(entries)));
  const program = `
    import { openDatabase } from "./database.ts";
    import { Layout } from "./layout.ts";
    import { openStore, storeSchema } from "./store.ts";
    import { silentLogger } from "#lib/log.ts";
    const layout = new Layout(${JSON.stringify(box.layout.dataRoot)}, "/nonexistent");
    const store = openStore(openDatabase(layout.database, [storeSchema]), layout, silentLogger);
    const { digest } = store.content.list()[0];
    void store.layers.apply(digest, digest);
    setInterval(() => {}, 1000);
  `;
  const daemon = Bun.spawn([process.execPath, "-e", program], { cwd: import.meta.dir });
  while (readdirSync(box.layout.temporary).every((name) => readdirSync(join(box.layout.temporary, name)).length < 5)) {
    await Bun.sleep(1);
  }
  daemon.kill("SIGKILL");
  await daemon.exited;
  const store = await box.reopen();
  await store.trash.idle();
  expect(store.layers.list()).toEqual([]);
  expect(readdirSync(box.layout.layers)).toEqual([]);
  expect(box.leftovers()).toEqual([]);
  expect(await store.layers.apply(digest, digest)).toMatchObject({ diffId: digest });
});

test("a full disk is said to be full, and nothing is left on it", async () => {
  const root = `/tmp/berth-full-${process.pid}`;
  mkdirSync(root);
  const run = (...command: string[]) => {
    const { exitCode, stderr } = Bun.spawnSync(command);
    if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr.toString()}`);
  };
  try {
    run("truncate", "-s", "24M", `${root}/disk`);
    run("mkfs.ext4", "-q", "-m", "0", `${root}/disk`);
    mkdirSync(`${root}/mnt`);
    run("mount", "-o", "loop", `${root}/disk`, `${root}/mnt`);
    try {
      await using box = openTestStore(`${root}/mnt`);
      const { content, layers, trash } = box.store;
      const full = { kind: "unavailable", message: expect.stringMatching(/no space left on device/i) };
      const zeros = Array.from({ length: 40 }, () => Buffer.alloc(1024 * 1024, "x"));
      await expect(content.ingest(chunks(...zeros))).rejects.toMatchObject(full);
      expect(box.leftovers()).toEqual([]);
      const tar = await bytesOf(writeTar([{ name: "f", content: Buffer.concat(zeros) }]));
      const blob = await content.put(Bun.gzipSync(tar));
      await expect(layers.apply(blob.digest, digestOf("whatever"))).rejects.toMatchObject(full);
      await trash.idle();
      expect(box.leftovers()).toEqual([]);
      expect(layers.list()).toEqual([]);
      await content.ingest(chunks(...zeros.slice(0, 10)));
    } finally {
      run("umount", `${root}/mnt`);
    }
  } finally {
    run("rm", "-r", root);
  }
});

test("a layer of unknown diffID is unpacked once, held by the lease, and known by it afterwards", async () => {
  await using box = openTestStore();
  const { store } = box;
  const plain = await bytesOf(writeTar([{ name: "a", content: Buffer.from("hello") }]));
  const packed = await store.content.put(Bun.gzipSync(plain));
  const lease = store.leases.create();
  const [one, other] = await Promise.all([
    store.layers.applyUnknown(packed.digest, lease),
    store.layers.applyUnknown(packed.digest, lease),
  ]);
  expect(one).toEqual(other);
  expect(one.diffId).toBe(digestOf(plain));
  await store.garbage.collect(() => ({ blobs: new Set([packed.digest]), layers: new Set() }));
  expect(await store.layers.applyUnknown(packed.digest, lease)).toEqual(one);
  expect(await store.layers.apply(packed.digest, one.diffId)).toEqual(one);
  lease[Symbol.dispose]();
  await store.garbage.collect(() => ({ blobs: new Set([packed.digest]), layers: new Set() }));
  expect(store.layers.list()).toEqual([]);
  // Known but gone: it is unpacked again.
  using again = store.leases.create();
  expect(await store.layers.applyUnknown(packed.digest, again)).toEqual(one);
  await store.trash.idle();
  expect(box.leftovers()).toEqual([]);
});
