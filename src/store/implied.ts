/** Finds the attributes of directories that a layer's archive lacks, in the layers below it. */
import { chmodSync, lchownSync, mkdirSync, statSync } from "node:fs";
import { S_IFDIR, S_IFMT, type Stat, TreeCalls } from "#linux/helper-calls.ts";
import { AT_FDCWD } from "#linux/libc.ts";

const permissions = 0o7777;

/** A layer's folder with the directories in it that its archive does not describe; names are latin1 and stand for bytes. */
export interface ImpliedIn {
  readonly path: string;
  readonly implied: readonly string[];
}

/**
 * Makes at `folder` (absent as yet) a tree of bare directories that, stacked on top of `layer`, gives its implied
 * directories the mode and owner that they have in the layers `below` (top first). False, and nothing made, where they
 * already are right. Extended attributes of such directories are left out.
 */
export function makeAttributeFolder(folder: string, layer: ImpliedIn, below: readonly ImpliedIn[]): boolean {
  const calls = new TreeCalls("cannot read layer");
  const wanted = new Map<string, Stat>();
  for (const path of layer.implied) {
    if (path === "") continue;
    const found = attributesBelow(calls, path, below);
    const now = directoryIn(calls, layer.path, path).stat;
    if (found !== undefined && now !== undefined && !sameAttributes(found, now)) wanted.set(path, found);
  }
  if (wanted.size === 0) return false;
  mkdirSync(folder, { recursive: true });
  copyAttributes(folder, statSync(layer.path));
  for (const path of withParents(wanted.keys())) {
    const stat = wanted.get(path) ?? directoryIn(calls, layer.path, path).stat;
    const name = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(path, "latin1")]);
    mkdirSync(name);
    if (stat !== undefined) copyAttributes(name, stat);
  }
  return true;
}

function sameAttributes(a: Stat, b: Stat): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid;
}

function copyAttributes(path: string | Buffer, { mode, uid, gid }: { mode: number; uid: number; gid: number }): void {
  lchownSync(path, uid, gid);
  chmodSync(path, mode & permissions);
}

function withParents(paths: Iterable<string>): string[] {
  const all = new Set<string>();
  for (const path of paths) {
    const parts = path.split("/");
    for (let depth = 1; depth <= parts.length; depth++) all.add(parts.slice(0, depth).join("/"));
  }
  return [...all].toSorted();
}

/** As an overlay of the layers would show it: what hides the path in one of them hides it in those below. */
function attributesBelow(calls: TreeCalls, path: string, below: readonly ImpliedIn[]): Stat | undefined {
  for (const layer of below) {
    const { stat, hidden } = directoryIn(calls, layer.path, path);
    if (stat !== undefined && !layer.implied.includes(path)) return stat;
    if (hidden) return undefined;
  }
  return undefined;
}

/** Goes down `path` without following links: layers are full of links meant for another root. */
function directoryIn(calls: TreeCalls, layer: string, path: string): { stat?: Stat; hidden: boolean } {
  const open: number[] = [];
  try {
    let at = calls.openDirectory(AT_FDCWD, layer);
    if (at < 0) throw calls.fail("openat", layer, at);
    open.push(at);
    let stat: Stat | undefined;
    let hidden = false;
    for (const part of path.split("/")) {
      stat = calls.stat(at, part);
      if (stat === undefined) return { hidden };
      if ((stat.mode & S_IFMT) !== S_IFDIR) return { hidden: true };
      at = calls.openDirectory(at, part);
      if (at < 0) throw calls.fail("openat", path, at);
      open.push(at);
      hidden ||= calls.isOpaque(at);
    }
    return { ...(stat && { stat }), hidden };
  } finally {
    for (const fd of open) calls.close(fd);
  }
}
