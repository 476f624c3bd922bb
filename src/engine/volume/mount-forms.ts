/** What every sort of mount has when nothing else is said. */
import { statSync } from "node:fs";
import { posix } from "node:path";
import type { MountPropagation } from "#api/types/container-config.ts";
import { EngineError } from "#lib/errors.ts";
import type { ResolvedMount } from "./mount.ts";
import { tmpfsOptions } from "./tmpfs-options.ts";

export function bindMount(
  source: string,
  destination: string,
  readOnly: boolean,
  propagation: MountPropagation,
): ResolvedMount {
  return { type: "bind", source, destination, mode: "", readOnly, propagation, listed: true };
}

export function volume(
  name: string,
  anonymous: boolean,
  destination: string,
  volumePath: (name: string) => string,
): ResolvedMount {
  return {
    type: "volume",
    source: volumePath(name),
    destination,
    mode: "",
    readOnly: false,
    propagation: "",
    listed: true,
    volume: { name, anonymous, copy: true, labels: {} },
  };
}

export function tmpfs(destination: string, options: string[], listed: boolean): ResolvedMount {
  return {
    type: "tmpfs",
    source: "",
    destination,
    mode: "",
    readOnly: options.includes("ro"),
    propagation: "",
    listed,
    tmpfs: { options: tmpfsOptions(options) },
  };
}

export function cleanDestination(path: string, shown: string): string {
  const refuse = (why: string): never => {
    const type = shown.startsWith("/") && shown.includes(":") ? "bind" : "volume";
    const where = `invalid volume specification: '${shown}': invalid mount config for type "${type}"`;
    throw new EngineError("invalid", `${where}: ${why}`);
  };
  if (!path.startsWith("/")) refuse(`invalid mount path: '${path}' mount path must be absolute`);
  const clean = posix.normalize(path).replace(/(?<=.)\/$/, "");
  if (clean === "/") refuse("invalid specification: destination can't be '/'");
  return clean;
}

export function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

export function missingSource(source: string): EngineError {
  return new EngineError("invalid", `invalid mount config for type "bind": bind source path does not exist: ${source}`);
}

/** Not "not-found": clients that create a container take that for the image's. Answers `name`. */
export function assertDriver(driver: string | undefined, name: string): string {
  if (!driver || driver === "local") return name;
  throw new EngineError("invalid", unknownDriver(driver, name));
}

/** Docker's words: there are no plugins. */
export function unknownDriver(driver: string, name: string): string {
  return `create ${name}: error looking up volume plugin ${driver}: plugin "${driver}" not found`;
}
