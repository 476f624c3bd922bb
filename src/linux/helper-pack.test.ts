import { expect, test } from "bun:test";
import { chmodSync, linkSync, mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { S_IFCHR, S_IFSOCK, TreeCalls } from "./helper-calls.ts";
import { emptyFolder, measureTree, type PackRequest, packTree, unpackArchive } from "./helper-client.ts";
import { describeTree, openFolder, temporaryFolder } from "./helper-testing.ts";

async function pack(request: PackRequest): Promise<Uint8Array> {
  const { stream, done } = packTree(request);
  const bytes = await new Response(stream).bytes();
  await done;
  return bytes;
}

async function names(archive: Uint8Array): Promise<string[]> {
  const tar = Bun.spawn(["tar", "-t"], { stdin: archive });
  return (await new Response(tar.stdout).text()).split("\n").filter((name) => name !== "");
}

/** An upper folder as overlayfs leaves it. */
function makeUpper(root: string): void {
  const calls = new TreeCalls("cannot make");
  const cwd = process.cwd();
  mkdirSync(join(root, "opaque"), { recursive: true });
  mkdirSync(join(root, "z".repeat(150)));
  writeFileSync(join(root, "opaque/file"), "content");
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff])]), "not utf8");
  writeFileSync(join(root, "u\u0308"), "x".repeat(700_000));
  linkSync(join(root, "u\u0308"), join(root, "zz"));
  symlinkSync("/etc/passwd", join(root, "link"));
  const dir = openFolder(calls, root);
  calls.makeNode(dir, "gone", S_IFCHR, 0);
  calls.makeNode(dir, "console", S_IFCHR | 0o600, 0x501);
  calls.makeNode(dir, "socket", S_IFSOCK | 0o600, 0);
  calls.setAttributeAt(dir, "opaque", "trusted.overlay.opaque", Buffer.from("y"), 1);
  calls.setAttributeAt(dir, "opaque", "trusted.overlay.origin", Buffer.from("o"), 1);
  calls.setAttributeAt(dir, "console", "trusted.note", Buffer.from("n"), 1);
  calls.chownAt(dir, "link", 3_000_000, 7);
  chmodSync(join(root, "zz"), 0o4711);
  for (const { name } of calls.list(dir)) calls.setTimeAt(dir, name, 1_400_000_000, 0);
  calls.close(dir);
  process.chdir(cwd);
}

test("an upper folder becomes an OCI layer and back", async () => {
  using folder = temporaryFolder();
  const root = join(folder.path, "in");
  makeUpper(root);
  const archive = await pack({ root, mode: "layer" });
  const listed = await names(archive);
  expect(listed).toContain(".wh.gone");
  expect(listed).toContain("opaque/.wh..wh..opq");
  expect(listed).not.toContain("socket");
  const target = join(folder.path, "out");
  mkdirSync(target);
  await unpackArchive({ archive: new Response(archive).body as ReadableStream, target, mode: "layer" });
  const expected = describeTree(root);
  delete expected["socket"];
  expected["gone"] = expected["gone"]?.replace(/ \d{10}$/, "") ?? "";
  expected["opaque"] = expected["opaque"]?.replace(" trusted.overlay.origin=o", "") ?? "";
  const actual = describeTree(target);
  actual["gone"] = actual["gone"]?.replace(/ \d{10}$/, "") ?? "";
  expect(actual).toEqual(expected);
});

test("the same tree gives the same bytes", async () => {
  using folder = temporaryFolder();
  const archives = [];
  for (const order of [
    ["a", "b", "c"],
    ["c", "b", "a"],
  ]) {
    const root = join(folder.path, order.join(""));
    mkdirSync(root);
    for (const name of order) writeFileSync(join(root, name), name);
    for (const name of order) utimesSync(join(root, name), 1e9, 1e9 + 0.5);
    archives.push(await pack({ root, mode: "layer" }));
  }
  expect(archives[0]).toEqual(archives[1] as Uint8Array);
});

test("a part of a tree is found inside the root and may be renamed", async () => {
  using folder = temporaryFolder();
  mkdirSync(join(folder.path, "real/sub"), { recursive: true });
  writeFileSync(join(folder.path, "real/sub/file"), "x");
  symlinkSync("/real", join(folder.path, "alias"));
  const root = folder.path;
  expect(await names(await pack({ root, path: "/alias/sub", mode: "plain" }))).toEqual(["sub/", "sub/file"]);
  expect(await names(await pack({ root, path: "alias", mode: "plain" }))).toEqual(["alias"]);
  const renamed = await pack({ root, path: "real/sub/file", rename: "other", mode: "plain" });
  expect(await names(renamed)).toEqual(["other"]);
  const absent = packTree({ root, path: "alias/absent", mode: "plain" });
  expect(absent.done).rejects.toMatchObject({ kind: "not-found" });
});

test("trees are measured and emptied", async () => {
  using folder = temporaryFolder();
  mkdirSync(join(folder.path, "a/b"), { recursive: true });
  writeFileSync(join(folder.path, "a/file"), "x".repeat(5000));
  linkSync(join(folder.path, "a/file"), join(folder.path, "a/b/again"));
  symlinkSync("/etc", join(folder.path, "link"));
  const { inodes, content, bytes } = await measureTree(folder.path);
  expect({ inodes, content }).toEqual({ inodes: 5, content: 5000 });
  expect(bytes).toBeGreaterThanOrEqual(8192);
  expect(await emptyFolder(folder.path)).toEqual([]);
  expect(readdirSync(folder.path)).toEqual([]);
});
