/** Finds the system's programs and libraries that the engine stands on, or says what to install. */
import { existsSync } from "node:fs";
import { EngineError } from "#lib/errors.ts";

export interface Programs {
  /** Absolute paths. */
  conmon: string;
  runtime: string;
}

const SEARCH = `${process.env["PATH"] ?? ""}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
const LIBRARY_FOLDERS = [
  "/usr/lib/x86_64-linux-gnu",
  "/usr/lib/aarch64-linux-gnu",
  "/lib64",
  "/usr/lib64",
  "/usr/lib",
  "/lib",
];
const LIBRARIES: readonly (readonly [file: string, debianPackage: string])[] = [
  ["libnftables.so.1", "libnftables1"],
  ["libarchive.so.13", "libarchive13"],
];

/** Throws "unavailable" with the command that installs all of what is missing. */
export function findPrograms(runtime: string): Programs {
  const missing: string[] = [];
  const conmon = Bun.which("conmon", { PATH: SEARCH });
  if (conmon === null) missing.push("conmon");
  const runtimePath = Bun.which(runtime, { PATH: SEARCH });
  if (runtimePath === null) missing.push(runtime.split("/").at(-1) ?? runtime);
  for (const [file, debianPackage] of LIBRARIES) {
    if (!LIBRARY_FOLDERS.some((folder) => existsSync(`${folder}/${file}`))) missing.push(debianPackage);
  }
  if (conmon === null || runtimePath === null || missing.length > 0) {
    throw new EngineError(
      "unavailable",
      `the daemon needs what is not installed: ${missing.join(", ")}. Install it: apt-get install ${missing.join(" ")}`,
    );
  }
  return { conmon, runtime: runtimePath };
}
