/** Helper operations on whole trees: measuring them, and removing them when nobody waits. */
import { S_IFDIR, S_IFMT, S_IFREG, type TreeCalls } from "./helper-calls.ts";
import type { VolumeCalls } from "./volume-calls.ts";

export interface TreeRequest {
  readonly root: string;
}

export interface TreeSize {
  /** On disk, names of one file once. */
  readonly bytes: number;
  readonly inodes: number;
  /** Lengths of the regular files, names of one file once, as in a tar of them. */
  readonly content: number;
}

export interface SeveralRequest extends TreeRequest {
  /** Paths inside `root`. */
  readonly paths: readonly string[];
}

/** Of everything below `root`, itself included. */
export function measure(request: TreeRequest, calls: TreeCalls): TreeSize {
  return sizeOf(calls.enterRoot(request.root), calls, (dir, name) => calls.openDirectory(dir, name));
}

/** As `measure` of each path, without a trace in the times of folders; null where it is no directory. */
export function measureSeveral({ root, paths }: SeveralRequest, calls: VolumeCalls): (TreeSize | null)[] {
  const base = calls.enterRoot(root);
  return paths.map((path) => {
    const found = calls.openInRoot(base, path);
    if (found < 0) return null;
    const fd = calls.reopenQuietly(found);
    const size = sizeOf(fd, calls, (dir, name) => calls.openFolderQuietly(dir, name));
    calls.close(fd);
    calls.close(found);
    return size;
  });
}

function sizeOf(folder: number, calls: TreeCalls, open: (dir: number, name: string) => number): TreeSize {
  const seen = new Set<string>();
  let bytes = 0;
  let inodes = 0;
  let content = 0;
  const visit = (dir: number, name: string): void => {
    const stat = calls.stat(dir, name);
    if (stat === undefined) return;
    const isDirectory = (stat.mode & S_IFMT) === S_IFDIR;
    if (stat.nlink > 1 && !isDirectory) {
      if (seen.has(stat.identity)) return;
      seen.add(stat.identity);
    }
    bytes += stat.allocated;
    inodes++;
    if ((stat.mode & S_IFMT) === S_IFREG) content += stat.size;
    if (!isDirectory) return;
    const fd = name === "" ? dir : open(dir, name);
    if (fd < 0) return; // removed meanwhile
    for (const entry of calls.list(fd)) visit(fd, entry.name);
    if (fd !== dir) calls.close(fd);
  };
  visit(folder, "");
  return { bytes, inodes, content };
}

/** Empties `root`, at a priority that disturbs nobody; what cannot be removed is left and named. */
export function removeBelow(request: TreeRequest, calls: TreeCalls): { failures: string[] } {
  calls.lowerPriority();
  const root = calls.enterRoot(request.root);
  const failures: string[] = [];
  for (const entry of calls.list(root)) {
    try {
      calls.removeTree(root, entry.name, entry.type);
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  return { failures };
}
