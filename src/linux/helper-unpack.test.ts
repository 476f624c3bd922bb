import { expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { S_IFCHR, S_IFIFO, TreeCalls } from "./helper-calls.ts";
import { type UnpackRequest, type UnpackResult, unpackArchive } from "./helper-client.ts";
import { describeTree, openFolder, type RawEntry, rawTar, temporaryFolder } from "./helper-testing.ts";

/** VFS_CAP_REVISION_2, effective, CAP_NET_BIND_SERVICE. */
const capability = Buffer.from("0100000200040000000000000000000000000000", "hex");

/** Everything that layers hold and careless tools lose. */
function makeTree(root: string): void {
  const calls = new TreeCalls("cannot make");
  const cwd = process.cwd();
  mkdirSync(root);
  const dir = openFolder(calls, root);
  const must = (result: number) => {
    if (result < 0) throw calls.fail("openat", "test tree", result);
    return result;
  };
  const deep = join(root, ..."abcdefgh".split("").map((letter) => letter.repeat(60)));
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(deep, "n".repeat(255)), "deep");
  writeFileSync(join(root, "l".repeat(120)), "long");
  writeFileSync(join(root, "grüße"), "utf8");
  writeFileSync(join(root, "u\u0308 decomposed"), "NFD stays NFD");
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x66, 0xff, 0xfe])]), "not utf8");
  writeFileSync(join(root, "setuid"), "#!", { mode: 0o755 });
  must(calls.chownAt(dir, "setuid", 12, 34));
  must(calls.chmodAt(dir, "setuid", 0o6755));
  writeFileSync(join(root, "capable"), "x".repeat(3000));
  must(calls.setAttributeAt(dir, "capable", "security.capability", capability, capability.length));
  must(calls.setAttributeAt(dir, "capable", "user.note", Buffer.from("hällo"), 6));
  must(calls.makeSymlink("/nowhere/at/all", dir, "link"));
  must(calls.setAttributeAt(dir, "link", "trusted.note", Buffer.from("t"), 1));
  must(calls.chownAt(dir, "link", 5, 6));
  must(calls.makeSymlink("t".repeat(300), dir, "long link"));
  must(calls.link(dir, "capable", dir, "second name"));
  must(calls.makeNode(dir, "null", S_IFCHR | 0o666, 0x103));
  must(calls.makeNode(dir, "fifo", S_IFIFO | 0o600, 0));
  const sparse = must(calls.open(dir, "sparse", 0o101, 0o644));
  must(calls.truncate(sparse, 8 * 1024 * 1024));
  calls.close(sparse);
  const hole = Bun.spawnSync(["dd", `of=${root}/sparse`, "conv=notrunc", "bs=4096", "seek=1024", "count=1"], {
    stdin: Buffer.alloc(4096, "s"),
    stderr: "ignore",
  });
  expect(hole.exitCode).toBe(0);
  mkdirSync(join(root, "sticky"));
  must(calls.chmodAt(dir, "sticky", 0o1777));
  mkdirSync(join(root, "locked"));
  writeFileSync(join(root, "locked/inside"), "");
  must(calls.chmodAt(dir, "locked", 0));
  for (const { name } of calls.list(dir)) must(calls.setTimeAt(dir, name, 1_500_000_000, 0));
  calls.close(dir);
  process.chdir(cwd);
}

async function unpack(folder: string, archive: Uint8Array, more: Partial<UnpackRequest> = {}): Promise<UnpackResult> {
  const file = join(folder, crypto.randomUUID());
  writeFileSync(file, archive);
  mkdirSync(join(folder, "out"), { recursive: true });
  return await unpackArchive({ archive: file, target: join(folder, "out"), mode: "layer", ...more });
}

async function refusal(...entries: readonly RawEntry[]): Promise<{ kind: string; message: string }> {
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "victim"), "untouched");
  try {
    await unpack(folder.path, rawTar(...entries));
  } catch (error) {
    expect(readFileSync(join(folder.path, "victim"), "latin1")).toBe("untouched");
    return error as { kind: string; message: string };
  }
  throw new Error("it was accepted");
}

for (const [format, compression] of [
  ["posix", ""],
  ["posix", "--gzip"],
  ["gnu", "--zstd"],
  ["gnu", "--xz"],
  ["posix", "--bzip2"],
] as const) {
  test(`a whole tree survives ${format} tar ${compression}`, async () => {
    using folder = temporaryFolder();
    const source = join(folder.path, "in");
    const archive = join(folder.path, "archive");
    makeTree(source);
    const options = [`--format=${format}`, "--sparse", "--sort=name", ...(compression === "" ? [] : [compression])];
    const attributes = format === "posix" ? ["--xattrs", "--xattrs-include=*"] : [];
    const tar = Bun.spawnSync(["tar", ...options, ...attributes, "-C", source, "-cf", archive, "."]);
    expect(tar.stderr.toString()).toBe("");
    const target = join(folder.path, "out");
    mkdirSync(target);
    const result = await unpackArchive({ archive, target, mode: "layer", digest: "sha256" });
    const expected = describeTree(source);
    if (format === "gnu") {
      for (const [path, line] of Object.entries(expected)) {
        expected[path] = line.replace(/ security.capability=\S* user.note=\S*| trusted.note=t/s, "");
      }
    }
    expect(describeTree(target)).toEqual(expected);
    expect(result.impliedDirectories).toEqual([]);
    expect(statSync(join(target, "sparse")).blocks).toBeLessThan(64);
    if (compression === "--gzip") {
      const uncompressed = gunzipSync(readFileSync(archive));
      expect(result.digest).toBe(`sha256:${new Bun.CryptoHasher("sha256").update(uncompressed).digest("hex")}`);
    }
  });
}

test("whiteouts become those of overlayfs", async () => {
  using folder = temporaryFolder();
  await unpack(
    folder.path,
    rawTar(
      { name: "./", flag: "5", mode: 0o711 },
      { name: "a/", flag: "5", mode: 0o755 },
      { name: "a/.wh.gone" },
      { name: "b/.wh..wh..opq" },
      { name: "b/kept", content: "k" },
      { name: ".wh..wh.plnk", flag: "5" },
      { name: "both/", flag: "5" },
      { name: ".wh.both" },
      { name: ".wh.later" },
      { name: "later/", flag: "5", mode: 0o700 },
      { name: ".wh.file" },
      { name: "file", content: "new" },
    ),
  );
  const out = join(folder.path, "out");
  const tree = describeTree(out);
  expect(tree["a/gone"]).toStartWith("20000 0:0 0,0");
  expect(tree["b"]).toContain("trusted.overlay.opaque=y");
  expect(tree["both"]).toContain("trusted.overlay.opaque=y");
  expect(tree["later"]).toMatch(/^40700 .*trusted.overlay.opaque=y/);
  expect(tree["file"]).toStartWith("100644");
  expect(Object.keys(tree).some((path) => path.includes(".wh."))).toBe(false);
  expect(statSync(out).mode & 0o7777).toBe(0o711);
});

test("plain mode takes whiteouts as they are and leaves the destination's attributes", async () => {
  using folder = temporaryFolder();
  mkdirSync(join(folder.path, "out/sub"), { recursive: true, mode: 0o750 });
  const archive = rawTar({ name: "./", flag: "5", mode: 0o711 }, { name: ".wh.x" }, { name: "y", uid: 7 });
  await unpack(folder.path, gzipSync(archive), { mode: "plain", directory: "/sub", owner: { uid: 3, gid: 4 } });
  expect(readdirSync(join(folder.path, "out/sub")).toSorted()).toEqual([".wh.x", "y"]);
  expect(statSync(join(folder.path, "out/sub")).mode & 0o777).toBe(0o750);
  expect(statSync(join(folder.path, "out/sub/y"))).toMatchObject({ uid: 3, gid: 4 });
});

test("directories that the archive lacks are reported, until it describes them", async () => {
  using folder = temporaryFolder();
  const archive = rawTar({ name: "a/b/c/file" }, { name: "a/b/", flag: "5", mode: 0o700 }, { name: "a/d/e" });
  const { impliedDirectories } = await unpack(folder.path, archive);
  expect(impliedDirectories).toEqual(["", "a", "a/b/c", "a/d"]);
  expect(statSync(join(folder.path, "out/a/b")).mode & 0o777).toBe(0o700);
});

test("an entry replaces an earlier one of its name", async () => {
  using folder = temporaryFolder();
  const archive = rawTar({ name: "x", content: "old" }, { name: "x", content: "new" }, { name: "y/z" }, { name: "y" });
  await unpack(folder.path, archive);
  expect(readFileSync(join(folder.path, "out/x"), "latin1")).toBe("new");
  expect(statSync(join(folder.path, "out/y")).isFile()).toBe(true);
});

test("links lead nowhere but inside", async () => {
  using folder = temporaryFolder();
  mkdirSync(join(folder.path, "secret"));
  const archive = rawTar(
    { name: "real/", flag: "5" },
    { name: "alias", flag: "2", link: "/real" },
    { name: "alias/file", content: "in" },
    { name: "up", flag: "2", link: "../../../real" },
    { name: "up/second", content: "in" },
    { name: "/etc/absolute", content: "in" },
  );
  await unpack(folder.path, archive);
  expect(readdirSync(join(folder.path, "out/real")).toSorted()).toEqual(["file", "second"]);
  expect(existsSync(join(folder.path, "out/etc/absolute"))).toBe(true);
});

test("malicious archives are refused with a reason", async () => {
  const outside = { name: "../victim", content: "owned" };
  expect(await refusal(outside)).toMatchObject({
    kind: "invalid",
    message: expect.stringContaining("../victim leaves"),
  });
  expect(await refusal({ name: "a/../../victim" })).toMatchObject({ kind: "invalid" });
  expect(
    await refusal({ name: "d/", flag: "5" }, { name: "d", flag: "2", link: ".." }, { name: "d/victim" }),
  ).toMatchObject({ kind: "invalid", message: expect.stringContaining("replaces its directory d by a symbolic link") });
  expect(await refusal({ name: "d", flag: "2", link: "/tmp/elsewhere" }, { name: "d/victim" })).toMatchObject({
    kind: "invalid",
    message: expect.stringContaining("symbolic link d leads out"),
  });
  expect(await refusal({ name: "hard", flag: "1", link: "/etc/passwd" })).toMatchObject({
    kind: "invalid",
    message: expect.stringContaining("invalid hard link hard to etc/passwd"),
  });
  expect(await refusal({ name: "hard", flag: "1", link: "../victim" })).toMatchObject({ kind: "invalid" });
  expect(await refusal({ name: "a/.wh..." })).toMatchObject({ kind: "invalid" });
  expect(await refusal({ name: "loop", flag: "2", link: "loop" }, { name: "loop/x" })).toMatchObject({
    kind: "invalid",
  });
  expect(await refusal({ name: "f" }, { name: "f/x" })).toMatchObject({ kind: "invalid" });
  expect(await refusal({ name: "short", content: "x", size: 5000 })).toMatchObject({ kind: "invalid" });
});

test("docker cp does not replace directories by files, nor the reverse", async () => {
  using folder = temporaryFolder();
  const options = { mode: "plain", keepDirectories: true } as const;
  mkdirSync(join(folder.path, "out/dir"), { recursive: true });
  writeFileSync(join(folder.path, "out/file"), "");
  symlinkSync("dir", join(folder.path, "out/link"));
  await expect(unpack(folder.path, rawTar({ name: "dir" }), options)).rejects.toThrow(
    'cannot overwrite directory "dir" with non-directory "dir"',
  );
  await expect(unpack(folder.path, rawTar({ name: "file", flag: "5" }), options)).rejects.toThrow(
    'cannot overwrite non-directory "file" with directory "file"',
  );
  const missing = unpack(folder.path, rawTar({ name: "x" }), { mode: "plain", directory: "absent" });
  await expect(missing).rejects.toMatchObject({ kind: "not-found" });
});

test("cut off and broken archives are refused", async () => {
  using folder = temporaryFolder();
  const content = Array.from({ length: 20_000 }, (_, line) => `${line * 7919}`).join();
  const zipped = gzipSync(rawTar({ name: "x", content }));
  const cut = unpack(folder.path, zipped.subarray(0, zipped.length / 2));
  await expect(cut).rejects.toMatchObject({
    kind: "invalid",
    message: expect.stringContaining("truncated gzip input"),
  });
  await expect(unpack(folder.path, Buffer.alloc(5000, "junk"))).rejects.toMatchObject({ kind: "invalid" });
  expect(await unpack(folder.path, Buffer.alloc(1024))).toMatchObject({ entries: 0 });
});

test("the C library loads nothing from the tree that is being unpacked", async () => {
  using folder = temporaryFolder();
  const tables = ["lib", "lib64", "lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu"].flatMap((lib) =>
    ["gconv-modules.cache", "gconv-modules"].map((name) => `usr/${lib}/gconv/${name}`),
  );
  // Opening a fifo without a writer would wait for ever.
  const fifos = rawTar(...tables.map((name) => ({ name, flag: "6" })));
  writeFileSync(join(folder.path, "grüße"), "");
  const named = Bun.spawnSync(["tar", "--format=posix", "-C", folder.path, "-c", "grüße"]).stdout;
  await unpack(folder.path, Buffer.concat([fifos.subarray(0, -1024), named]));
  expect(readdirSync(join(folder.path, "out"))).toContain("grüße");
});

test("bombs stop at the limits", async () => {
  using folder = temporaryFolder();
  const zeros = Bun.spawn(["sh", "-c", "head -c 100M /dev/zero | gzip -1"]);
  const raw = rawTar({ name: "bomb", size: 8 ** 11 - 1 }).subarray(0, 512);
  const bomb = Buffer.concat([gzipSync(raw), await new Response(zeros.stdout).bytes()]);
  const limit = { maxBytes: 1024 * 1024 };
  await expect(unpack(folder.path, bomb, limit)).rejects.toThrow("larger than the limit of 1048576 bytes");
  // After the end mark nothing is unpacked, but the stream would go on.
  const tail = Buffer.concat([gzipSync(rawTar({ name: "x" })), gzipSync(Buffer.alloc(4 * 1024 * 1024))]);
  await expect(unpack(folder.path, tail, { ...limit, maxEntries: 10 })).rejects.toThrow("bytes uncompressed");
  const many = rawTar(...Array.from({ length: 11 }, (_, n) => ({ name: `${n}` })));
  await expect(unpack(folder.path, many, { maxEntries: 10 })).rejects.toThrow("larger than the limit of 10 entries");
});

test("an aborted helper is gone, and the reason is the caller's", async () => {
  using folder = temporaryFolder();
  mkdirSync(join(folder.path, "out"));
  const stop = new AbortController();
  const endless = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await Bun.sleep(1);
      controller.enqueue(rawTar({ name: "x" }).subarray(0, 512));
    },
  });
  const request = { archive: endless, target: join(folder.path, "out"), mode: "plain" } as const;
  const unpacking = unpackArchive(request, stop.signal);
  setTimeout(() => stop.abort(new Error("enough")), 100);
  await expect(unpacking).rejects.toThrow("enough");
});

test("tars one after the other unpack as one, through links where directories were moved", async () => {
  using folder = temporaryFolder();
  const root = join(folder.path, "out");
  mkdirSync(join(root, "usr/bin"), { recursive: true });
  symlinkSync("usr/bin", join(root, "bin"));
  symlinkSync("nowhere", join(root, "lib"));
  const first = rawTar({ name: "./bin/", flag: "5", mode: 0o755 }, { name: "./bin/sh", content: "sh" });
  const second = rawTar({ name: "./lib/", flag: "5", mode: 0o755 }, { name: "./lib/x", content: "x" });
  const archive = new Blob([gzipSync(first), gzipSync(second)]).stream();
  const request = { archive, target: root, mode: "plain", concatenated: true, keepDirectoryLinks: true } as const;
  expect(await unpackArchive(request)).toMatchObject({ entries: 4 });
  expect(readFileSync(join(root, "usr/bin/sh"), "utf8")).toBe("sh");
  expect(lstatSync(join(root, "bin")).isSymbolicLink()).toBe(true);
  // A link to nothing is replaced.
  expect(lstatSync(join(root, "lib")).isDirectory()).toBe(true);
  expect(readFileSync(join(root, "lib/x"), "utf8")).toBe("x");
});

test("files get exactly the archive's owner and permissions where the folder gives new ones others", async () => {
  using folder = temporaryFolder();
  const root = join(folder.path, "out");
  mkdirSync(join(root, "group"), { recursive: true });
  chownSync(join(root, "group"), 0, 77);
  chmodSync(join(root, "group"), 0o2775);
  const archive = rawTar(
    { name: "plain", mode: 0o644 },
    { name: "special", mode: 0o6755 },
    { name: "secret", mode: 0 },
    { name: "foreign", mode: 0o4750, uid: 12 },
    { name: "group/inherits", mode: 0o640 },
  );
  const file = join(folder.path, "archive");
  writeFileSync(file, archive);
  await unpackArchive({ archive: file, target: root, mode: "plain" });
  const told = (name: string) => {
    const { mode, uid, gid } = statSync(join(root, name));
    return `${(mode & 0o7777).toString(8)} ${uid}:${gid}`;
  };
  expect(["plain", "special", "secret", "foreign", "group/inherits"].map(told)).toEqual([
    "644 0:0",
    "6755 0:0",
    "0 0:0",
    "4750 12:0",
    "640 0:0",
  ]);
});
