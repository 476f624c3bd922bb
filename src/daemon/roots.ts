/** What marks a data root, an exec root and a pid file as this daemon's own. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { EngineError } from "#lib/errors.ts";
import { lockFile } from "#linux/files.ts";

/** Throws kind "conflict" where another daemon holds it. */
export function lockRoot(path: string, what: "data root" | "exec root", root: string): Disposable {
  try {
    return lockFile(path);
  } catch (cause) {
    if (!(cause instanceof EngineError) || cause.kind !== "conflict") throw cause;
    throw new EngineError(
      "conflict",
      `another daemon uses the ${what} ${root}: stop it, or choose another --${what.replace(" ", "-")}`,
      { cause },
    );
  }
}

/** Throws kind "conflict" where the file names another daemon that runs. */
export function writePidfile(path: string): Disposable {
  let other: string | undefined;
  try {
    other = readFileSync(path, "utf8").trim();
  } catch {
    // There is none yet.
  }
  if (other !== undefined && /^\d+$/.test(other) && Number(other) !== process.pid && isDaemon(other)) {
    throw new EngineError("conflict", `process with PID ${other} is still running: it wrote ${path}`);
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, String(process.pid), { mode: 0o644 });
  return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
}

/** The process may be any program by now: only a daemon counts. */
function isDaemon(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0").includes("daemon");
  } catch {
    return false;
  }
}
