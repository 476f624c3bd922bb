/** Finds the system's programs and libraries that the engine stands on, or says what to install. */
import { existsSync } from "node:fs";
import { basename } from "node:path";
import type { RuntimeProgram } from "#engine/runtime/runtimes.ts";
import { EngineError } from "#lib/errors.ts";
import { libraries, libraryFolders, programFolders } from "#lib/requirements.ts";

export interface Programs {
  /** Absolute path. */
  conmon: string;
  runtimes: ReadonlyMap<string, RuntimeProgram>;
  /** Name of one of them. */
  defaultRuntime: string;
}

/** Offered under their own names wherever they are installed. */
const KNOWN_RUNTIMES = ["crun", "runc"];

const SEARCH = `${process.env["PATH"] ?? ""}:${programFolders}`;

/**
 * `runtime` is the default one: a path, a key of `configured`, or the name of a program. Throws "unavailable" with the
 * command that installs all of what is missing.
 */
export function findPrograms(runtime: string, configured: ReadonlyMap<string, RuntimeProgram>): Programs {
  const missing: string[] = [];
  const conmon = Bun.which("conmon", { PATH: SEARCH });
  if (conmon === null) missing.push("conmon");
  const runtimes = new Map<string, RuntimeProgram>();
  const offer = (name: string, program: string, options: readonly string[] = []): boolean => {
    const path = Bun.which(program, { PATH: SEARCH });
    if (path !== null) runtimes.set(name, { path, arguments: options });
    return path !== null;
  };
  for (const name of KNOWN_RUNTIMES) offer(name, name);
  for (const [name, { path, arguments: options }] of configured) {
    if (offer(name, path, options)) continue;
    throw new EngineError("unavailable", `the program of the runtime ${name} is not installed: ${path}`);
  }
  const defaultRuntime = basename(runtime);
  if (!configured.has(runtime) && !offer(defaultRuntime, runtime)) missing.push(defaultRuntime);
  for (const { file, debianPackage } of libraries) {
    if (!libraryFolders.some((folder) => existsSync(`${folder}/${file}`))) missing.push(debianPackage);
  }
  if (conmon === null || missing.length > 0) {
    throw new EngineError(
      "unavailable",
      `the daemon needs what is not installed: ${missing.join(", ")}. Install it: apt-get install ${missing.join(" ")}`,
    );
  }
  return { conmon, runtimes, defaultRuntime };
}
