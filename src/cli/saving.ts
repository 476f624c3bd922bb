/** Writes an archive from the daemon to a file or to stdout: for `save` and `export`. */
import { closeSync, openSync, renameSync, type Stats, statSync, unlinkSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { openError } from "./container/option-checks.ts";
import { ExitError } from "./errors.ts";
import type { Session } from "./session.ts";

/**
 * `path` empty means stdout, which must not be a terminal. A file takes its name only once it is whole. Rejects with
 * ExitError, or as `fetch` does; `what` names the deed in messages.
 */
export async function saveTo(
  session: Session,
  path: string,
  what: string,
  fetch: () => Promise<Response>,
): Promise<void> {
  if (path === "") {
    if (session.out.isTerminal)
      throw new ExitError(1, "cowardly refusing to save to a terminal. Use the -o flag or redirect");
    for await (const chunk of (await fetch()).body ?? []) session.out.write(chunk);
    return;
  }
  checkTarget(path, what);
  const response = await fetch();
  using undo = new DisposableStack();
  const partial = `${path}.${process.pid}.part`;
  const file = open(partial, path, what);
  undo.defer(() => closeSync(file));
  undo.defer(() => unlinkSync(partial));
  for await (const chunk of response.body ?? []) {
    for (let rest = chunk; rest.length > 0;) rest = rest.subarray(writeSync(file, rest));
  }
  renameSync(partial, path);
  undo.move();
  closeSync(file);
}

function checkTarget(path: string, what: string): void {
  const folder = dirname(path);
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new ExitError(1, `failed to ${what}: invalid output path: stat ${folder}: no such file or directory`);
  const target = statSync(path, { throwIfNoEntry: false });
  if (target && !target.isFile()) throw new ExitError(1, `failed to ${what}: cannot write to a ${kindOf(target)}`);
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return "directory";
  if (stats.isCharacterDevice()) return "character device file";
  if (stats.isBlockDevice()) return "block device file";
  return stats.isFIFO() ? "named pipe" : "socket";
}

function open(partial: string, path: string, what: string): number {
  try {
    return openSync(partial, "wx", 0o600);
  } catch (error) {
    throw new ExitError(1, `failed to ${what}: ${openError(path, error)}`, { cause: error });
  }
}
