import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Sealer } from "#lib/seal.ts";
import { type RawEntry, rawTar, temporaryFolder } from "./helper-testing.ts";
import { restoreTree } from "./volume-trees.ts";

const manifest: RawEntry = { name: "manifest.json", content: "{}" };
const root: RawEntry = { name: "data/", flag: "5", mode: 0o755 };
const summary = (entries: number, bytes: number): RawEntry => ({
  name: "summary.json",
  content: JSON.stringify({ entries, bytes, sockets: 0 }),
});

/** What somebody makes who knows how a seal is made. */
function sealed(...entries: readonly RawEntry[]): Blob {
  const bytes = Bun.zstdCompressSync(rawTar(...entries));
  const sealer = new Sealer();
  sealer.update(bytes);
  return new Blob([Buffer.concat([bytes, sealer.seal()])]);
}

test("an archive that is as backups are is taken", async () => {
  using folder = temporaryFolder();
  const file = { name: "data/file", content: "content" };
  const link = { name: "data/link", flag: "1", link: "data/file" };
  const restored = await restoreTree(sealed(manifest, root, file, link, summary(3, 7)).stream(), folder.path);
  expect(restored).toEqual({ manifest: "{}", entries: 3, bytes: 7, sockets: 0 });
  expect(readFileSync(join(folder.path, "link"), "utf8")).toBe("content");
});

test.each<[string, string, RawEntry[]]>([
  ["no manifest", "it does not begin with manifest.json", [root, summary(1, 0)]],
  ["no summary", "it has no summary.json", [manifest, root]],
  ["a summary of more", "it has 1 entries with 0 bytes, not 2 with 0", [manifest, root, summary(2, 0)]],
  ["a summary of nothing", "its summary.json cannot be read", [manifest, root, { ...summary(1, 0), content: "?" }]],
  ["more after the end", "data/late follows its end", [manifest, root, summary(1, 0), { name: "data/late" }]],
  ["no folder first", "file comes before", [manifest, { name: "data/file" }, summary(1, 0)]],
  ["a way out", "it holds data/../up", [manifest, root, { name: "data/../up" }]],
  ["an absolute name", "it holds /data/file", [manifest, root, { name: "/data/file" }]],
  ["another tree", "it holds etc/passwd", [manifest, root, { name: "etc/passwd" }]],
  [
    "a folder that is a link",
    "does not follow its folder",
    [manifest, root, { name: "data/link", flag: "2", link: "/" }, { name: "data/link/escaped", content: "x" }],
  ],
  [
    "a hard link out",
    "it holds data/../outside",
    [manifest, root, { name: "data/link", flag: "1", link: "data/../outside" }],
  ],
  [
    "a hard link to a link's target",
    "openat2 link",
    [
      manifest,
      root,
      { name: "data/link", flag: "2", link: "../outside" },
      { name: "data/other", flag: "1", link: "data/link/file" },
    ],
  ],
  ["a name twice", "EEXIST", [manifest, root, { name: "data/file" }, { name: "data/file" }]],
])("an archive with %s is refused, and nothing comes out of its folder", async (_what, words, entries) => {
  using folder = temporaryFolder();
  const target = join(folder.path, "target");
  mkdirSync(target);
  mkdirSync(join(folder.path, "outside"));
  writeFileSync(join(folder.path, "outside/file"), "not to be had");
  await expect(restoreTree(sealed(...entries).stream(), target)).rejects.toThrow(words);
  expect(readdirSync(folder.path).toSorted()).toEqual(["outside", "target"]);
  expect(readdirSync(join(folder.path, "outside"))).toEqual(["file"]);
});
