/** What the tests of the archive helpers share: trees described in full, and archives that no sane program writes. */
import { constants, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, TreeCalls } from "./helper-calls.ts";
import { AT_FDCWD } from "./libc.ts";

/** A temporary folder that goes with the test. */
export function temporaryFolder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "berth-test-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export function openFolder(calls: TreeCalls, path: string): number {
  const fd = calls.open(AT_FDCWD, path, constants.O_RDONLY | constants.O_DIRECTORY);
  if (fd < 0) throw calls.fail("openat", path, fd);
  return fd;
}

/** One line for each name below `root` (latin1 for bytes) with everything that an archive should keep. */
export function describeTree(root: string): Record<string, string> {
  const calls = new TreeCalls("cannot describe");
  const cwd = process.cwd();
  const found: Record<string, string> = {};
  const firstNames = new Map<string, string>();
  const visit = (dir: number, prefix: string): void => {
    for (const { name } of calls.list(dir)) {
      const path = `${prefix}${name}`;
      const stat = calls.stat(dir, name);
      if (stat === undefined) throw new Error(`${path} vanished`);
      const type = stat.mode & S_IFMT;
      const first = firstNames.get(stat.identity);
      if (first !== undefined) {
        found[path] = `another name of ${first}`;
        continue;
      }
      firstNames.set(stat.identity, path);
      const parts = [stat.mode.toString(8), `${stat.uid}:${stat.gid}`, `${stat.major},${stat.minor}`, stat.seconds];
      for (const { name: key, value } of calls.attributesAt(dir, name)) parts.push(`${key}=${value.toString()}`);
      if (type === S_IFLNK) parts.push(calls.readLink(dir, name));
      if (type === S_IFREG) parts.push(contentOf(calls, dir, name));
      found[path] = parts.join(" ");
      if (type === S_IFDIR) {
        const below = calls.openDirectory(dir, name);
        visit(below, `${path}/`);
        calls.close(below);
      }
    }
  };
  const fd = openFolder(calls, root);
  try {
    visit(fd, "");
  } finally {
    calls.close(fd);
    process.chdir(cwd);
  }
  return found;
}

function contentOf(calls: TreeCalls, dir: number, name: string): string {
  const fd = calls.openFile(dir, name);
  try {
    const bytes = readFileSync(fd);
    return `${bytes.length} ${new Bun.CryptoHasher("sha256").update(bytes).digest("hex").slice(0, 16)}`;
  } finally {
    calls.close(fd);
  }
}

export interface RawEntry {
  readonly name: string;
  /** The type flag: "0" file, "1" hard link, "2" symbolic link, "5" directory. */
  readonly flag?: string;
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly content?: string;
  /** What the header claims instead of the content's length. */
  readonly size?: number;
}

/** A ustar archive of exactly these entries, whatever they say. */
export function rawTar(...entries: readonly RawEntry[]): Buffer {
  const blocks = entries.flatMap(({ name, flag = "0", link = "", mode = 0o644, uid = 0, content = "", size }) => {
    const header = Buffer.alloc(512);
    const octal = (value: number, at: number, digits: number) =>
      header.write(value.toString(8).padStart(digits, "0"), at);
    header.write(name, 0, 100, "latin1");
    octal(mode, 100, 7);
    octal(uid, 108, 7);
    octal(0, 116, 7);
    octal(size ?? content.length, 124, 11);
    octal(1_600_000_000, 136, 11);
    header.write("        ", 148);
    header.write(flag, 156);
    header.write(link, 157, 100, "latin1");
    header.write("ustar\x0000", 257);
    header.write(
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, "0")}\0 `,
      148,
    );
    const body = Buffer.alloc(Math.ceil(content.length / 512) * 512);
    body.write(content, "latin1");
    return [header, body];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}
