import { expect, test } from "bun:test";
import { closeSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "./helper-testing.ts";
import { checked, O_CLOEXEC, O_NONBLOCK } from "./libc.ts";
import { backUpTree, copyTree, measureTrees, restoreTree } from "./volume-trees.ts";
import { describeVolumeTree, makeVolumeTree } from "./volume-testing.ts";

async function backup(root: string): Promise<Buffer<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of backUpTree(root, '{"format":"test"}')) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function restore(archive: Uint8Array<ArrayBuffer>, target: string): ReturnType<typeof restoreTree> {
  mkdirSync(target);
  return restoreTree(new Blob([archive]).stream(), target);
}

const isSocket = (line: string): boolean => line.startsWith('["socket"');

test("a backup restores to the very same tree, sockets aside", async () => {
  using folder = temporaryFolder();
  const source = join(folder.path, "source");
  makeVolumeTree(source, 200);
  const before = describeVolumeTree(source);
  const archive = await backup(source);
  const restored = await restore(archive, join(folder.path, "target"));
  expect(restored).toMatchObject({ manifest: '{"format":"test"}', entries: before.length - 1, sockets: 1 });
  expect(describeVolumeTree(join(folder.path, "target"))).toEqual(before.filter((line) => !isSocket(line)));
  expect(describeVolumeTree(source)).toEqual(before);
});

test("a backup to a client's socket leaves it non-blocking: the daemon must never wait for a client", async () => {
  using folder = temporaryFolder();
  const ends = new Int32Array(2);
  checked("cannot make a pipe", "", "pipe2", ends, O_CLOEXEC | O_NONBLOCK);
  const [readEnd = -1, fd = -1] = ends;
  try {
    await backUpTree(folder.path, "{}").writeTo({ fd, chunked: true, end: () => {} });
    const [, flags = "0"] = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8")) ?? [];
    expect(Number.parseInt(flags, 8) & O_NONBLOCK).toBe(O_NONBLOCK);
  } finally {
    closeSync(readEnd);
    closeSync(fd);
  }
});

test("a copy is the very same tree", async () => {
  using folder = temporaryFolder();
  const [source, target] = [join(folder.path, "source"), join(folder.path, "target")];
  makeVolumeTree(source, 200);
  mkdirSync(target);
  const before = describeVolumeTree(source);
  expect(await copyTree(source, target)).toMatchObject({ entries: before.length });
  expect(describeVolumeTree(target)).toEqual(before);
  const [first, second] = await measureTrees(folder.path, ["source", "target"]);
  expect(second).toEqual(first as NonNullable<typeof first>);
});

test("a backup that is cut off or changed anywhere is refused", async () => {
  using folder = temporaryFolder();
  const source = join(folder.path, "source");
  mkdirSync(source);
  for (let file = 0; file < 20; file++) writeFileSync(join(source, `file ${file}`), "content ".repeat(file * 100));
  const archive = await backup(source);
  let tries = 0;
  const refused = async (damaged: Uint8Array<ArrayBuffer>): Promise<void> => {
    await expect(restore(damaged, join(folder.path, `target ${tries++}`))).rejects.toMatchObject({ kind: "invalid" });
  };
  for (let cut = 0; cut < archive.length; cut += Math.ceil(archive.length / 4)) await refused(archive.subarray(0, cut));
  await refused(archive.subarray(0, -1));
  for (let at = 0; at < archive.length; at += Math.ceil(archive.length / 4)) {
    const damaged = Buffer.from(archive);
    damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
    await refused(damaged);
  }
  await refused(Buffer.concat([archive, Buffer.from([0])]));
  await refused(Buffer.concat([archive, archive]));
  const last = Buffer.from(archive);
  last[last.length - 1] = 11;
  await refused(last);
});

test("GNU tar reads a backup", async () => {
  using folder = temporaryFolder();
  const [source, target] = [join(folder.path, "source"), join(folder.path, "target")];
  makeVolumeTree(source, 40);
  const file = join(folder.path, "backup.tar.zst");
  writeFileSync(file, await backup(source));
  mkdirSync(target);
  const options = ["--zstd", "--numeric-owner", "--same-owner", "-p", "--xattrs", "--xattrs-include=*"];
  const tar = Bun.spawnSync(["tar", ...options, "-C", target, "-xf", file]);
  expect(tar.exitCode).toBe(0);
  expect(readdirSync(target).toSorted()).toEqual(["data", "manifest.json", "summary.json"]);
  // It does not set the times of accesses.
  const common = (line: string): unknown[] => {
    const facts = JSON.parse(line) as unknown[];
    return facts.toSpliced(5, 1);
  };
  const lines = (root: string): unknown[] =>
    describeVolumeTree(root)
      .filter((line) => !isSocket(line))
      .map(common);
  expect(lines(join(target, "data"))).toEqual(lines(source));
});
