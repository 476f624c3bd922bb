/** For tests: a tree with everything that a volume may hold, and the full description of any tree. */
import { closeSync, constants, mkdirSync, openSync } from "node:fs";
import { deviceNumber } from "./descriptor.ts";
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK, show } from "./helper-calls.ts";
import { VolumeCalls } from "./volume-calls.ts";
import { type Description, NewTree } from "./volume-tree.ts";

/** VFS_CAP_REVISION_2, effective, CAP_NET_BIND_SERVICE. */
const capability = Buffer.from("0100000200040000000000000000000000000000", "hex");
/** Version 2; user::rw-, user:1234:r--, group::r--, mask::r--, other::---. */
const accessAcl = Buffer.from(
  "0200000001000600ffffffff02000400d204000004000400ffffffff10000400ffffffff20000000ffffffff",
  "hex",
);

/** Fills the empty folder `root`, which is made if absent, with about `files` files in 20 folders, and one thing of each kind. */
export function makeVolumeTree(root: string, files: number, content: (file: number) => Uint8Array = someText): void {
  mkdirSync(root, { recursive: true });
  const calls = new VolumeCalls("cannot make");
  const fd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  const cwd = process.cwd();
  const tree = new NewTree(calls, fd);
  const write = (text: string | Uint8Array) => (file: number) => void calls.writeBytes(file, Buffer.from(text), 0);
  for (let folder = 0; folder < 20; folder++) {
    const name = `folder ${folder}`;
    const dir = tree.directory(fd, name, name);
    for (let file = folder; file < files; file += 20) {
      tree.file(dir, `file ${file}`, described(file), name, write(content(file)));
    }
    tree.describeDirectory(dir, described(folder, { permissions: 0o2770 }), name);
    calls.close(dir);
  }
  specials(calls, tree, fd, write);
  tree.describeDirectory(
    fd,
    described(1, { permissions: 0o1771, attributes: [{ name: "user.root", value: Buffer.from("own") }] }),
    root,
  );
  closeSync(fd);
  // Attributes of names are read and written from the folder that they are in.
  process.chdir(cwd);
}

function someText(file: number): Uint8Array {
  return Buffer.from(`${file} `.repeat(file % 700));
}

function specials(
  calls: VolumeCalls,
  tree: NewTree,
  fd: number,
  write: (text: string | Uint8Array) => (file: number) => void,
): void {
  const attribute = (name: string, value: Uint8Array | string) => ({
    attributes: [{ name, value: Buffer.from(value) }],
  });
  const file = (name: string, extra: Partial<Description>, fill: (file: number) => void): void =>
    tree.file(fd, name, described(7, extra), name, fill);
  file("setuid", { permissions: 0o6755 }, write("#!/bin/true\n"));
  file("capable", { permissions: 0o755, ...attribute("security.capability", capability) }, write("#!"));
  file("acl", { permissions: 0o640, ...attribute("system.posix_acl_access", accessAcl) }, write("private"));
  file("trusted", attribute("trusted.note", "\0a=b\xff"), write(""));
  file("odd attribute", attribute("user.a=b%3Dc", "odd"), write("x"));
  file("large attribute", attribute("user.large", Buffer.alloc(3000, 7)), write("x"));
  file("empty", { modified: { seconds: 0, nanoseconds: 0 } }, () => {});
  file("before 1970", { modified: { seconds: -5, nanoseconds: 123_456_789 } }, write("old"));
  file("far", { modified: { seconds: 9_000_000_000, nanoseconds: 1 }, uid: 3_000_000, gid: 4_000_000_000 }, write("f"));
  file("line\nfeed", {}, write("n"));
  file("latin \xe9\xff", {}, write("l"));
  file("utf-8 gr\xc3\xbc\xc3\x9fe u\xcc\x88", {}, write("u"));
  file("n".repeat(255), {}, write("long"));
  file("sparse", {}, (target) => {
    calls.truncate(target, 50_000_000);
    calls.writeBytes(target, Buffer.alloc(4096, 1), 1_048_576);
    calls.writeBytes(target, Buffer.alloc(8192, 2), 20_480_000);
  });
  file("one hole", {}, (target) => void calls.truncate(target, 3_000_000_000));
  file("data last", {}, (target) => void calls.writeBytes(target, Buffer.alloc(4096, 3), 5_000_000 * 4096));
  tree.link(fd, "zz other name", "setuid", "link");
  tree.symlink(fd, "link", "/etc/passwd", described(8), "link");
  tree.symlink(fd, "dangling", "l\xff\n", described(9, attribute("trusted.on-a-link", "yes")), "link");
  tree.link(fd, "zz other link", "link", "link");
  tree.node(
    fd,
    "fifo",
    S_IFIFO,
    0,
    described(21, { permissions: 0o622, ...attribute("trusted.on-a-fifo", "yes") }),
    "fifo",
  );
  tree.node(fd, "null", S_IFCHR, deviceNumber(1, 3), described(11, { permissions: 0o666 }), "null");
  tree.node(fd, "disk", S_IFBLK, deviceNumber(259, 200_000), described(12), "disk");
  tree.node(fd, "socket", S_IFSOCK, 0, described(13), "socket");
  const inherits = tree.directory(fd, "default acl", "dir");
  tree.file(inherits, "inside", described(14), "inside", write("must not inherit"));
  tree.describeDirectory(inherits, described(15, attribute("system.posix_acl_default", accessAcl)), "dir");
  calls.close(inherits);
}

function described(seed: number, extra: Partial<Description> = {}): Description {
  return {
    uid: seed % 5,
    gid: seed % 3,
    permissions: 0o644,
    accessed: { seconds: 1_600_000_000 + seed, nanoseconds: 999_999_999 - seed },
    modified: { seconds: 1_500_000_000 + seed, nanoseconds: (seed * 1_000_003) % 1_000_000_000 },
    attributes: seed % 10 === 0 ? [{ name: "user.seed", value: Buffer.from(String(seed)) }] : [],
    ...extra,
  };
}

/** A line for each entry of the tree, itself included, by path: all that can be told of it, its content by digest. Sorted. */
export function describeVolumeTree(root: string): string[] {
  const calls = new VolumeCalls("cannot describe");
  const cwd = process.cwd();
  const lines: string[] = [];
  const first = new Map<string, string>();
  const visit = (dir: number, name: string, path: string): void => {
    const stat = calls.fullStat(dir, name);
    if (stat === undefined) throw new Error(`${path} is gone`);
    const type = stat.mode & S_IFMT;
    const other = first.get(stat.identity) ?? path;
    first.set(stat.identity, other);
    const { mode, uid, gid, nlink, accessed, modified, major, minor } = stat;
    const attributes = calls.allAttributes(dir, name).map((a) => [a.name, Buffer.from(a.value).toString("base64")]);
    // To read a link is to leave a trace in it.
    const read = type === S_IFLNK ? "" : accessed;
    const facts: unknown[] = [show(path), mode.toString(8), uid, gid, modified, read, attributes];
    if (type !== S_IFDIR) facts.push(nlink, other === path ? "" : show(other));
    if (type === S_IFLNK) facts.push(calls.readLink(dir, name));
    if (type === S_IFCHR || type === S_IFBLK) facts.push(major, minor);
    if (type === S_IFREG) {
      const fd = calls.openQuietly(dir, name);
      const regions = calls.regions(fd, stat, path);
      facts.push(stat.size, regions ?? "whole", digest(calls, fd, regions ?? [{ offset: 0, size: stat.size }]));
      calls.close(fd);
    }
    lines.push(JSON.stringify(facts));
    if (type !== S_IFDIR) return;
    const fd = calls.openFolderQuietly(dir, name === "" ? "." : name);
    for (const entry of calls.list(fd)) visit(fd, entry.name, path === "" ? entry.name : `${path}/${entry.name}`);
    calls.close(fd);
  };
  const fd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  const quiet = calls.reopenQuietly(fd);
  visit(quiet, "", "");
  closeSync(quiet);
  closeSync(fd);
  process.chdir(cwd);
  return lines.toSorted();
}

function digest(calls: VolumeCalls, fd: number, regions: readonly { offset: number; size: number }[]): string {
  const hash = new Bun.CryptoHasher("sha256");
  const buffer = Buffer.alloc(256 * 1024);
  for (const { offset, size } of regions) {
    calls.seek(fd, offset);
    for (let left = size; left > 0;) {
      const read = calls.read(fd, buffer.subarray(0, Math.min(left, buffer.length)));
      if (read <= 0) throw new Error("cannot read a file of the tree");
      hash.update(buffer.subarray(0, read));
      left -= read;
    }
  }
  return hash.digest("hex");
}
