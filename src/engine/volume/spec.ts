/** Reads `-v`'s `source:destination:options`. */
import type { MountPropagation } from "#api/types/container-config.ts";
import { EngineError } from "#lib/errors.ts";
import { type MountOwners, parseOwners } from "./owners.ts";

export interface VolumeSpec {
  /** Host path, volume name, or empty for an anonymous volume. */
  source: string;
  destination: string;
  /** The options as written. */
  mode: string;
  readOnly: boolean;
  copy: boolean;
  propagation?: MountPropagation;
  /** `U` and `idmap`, which are not Docker's. */
  owners?: MountOwners;
}

const PROPAGATIONS: readonly string[] = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];
/** Accepted and without meaning on Linux, as Docker has it (consistency), or without SELinux (z, Z). */
const WITHOUT_EFFECT: readonly string[] = ["z", "Z", "consistent", "cached", "delegated", "default"];

/** Throws kind "invalid" with Docker's words. */
export function parseVolumeSpec(text: string): VolumeSpec {
  const parts = text.split(":");
  const refuse = (why = ""): EngineError => new EngineError("invalid", `invalid volume specification: '${text}'${why}`);
  if (parts.length > 3 || parts[0] === "") throw refuse();
  if (parts.length === 1) return { source: "", destination: text, mode: "", readOnly: false, copy: true };
  const [source = "", destination = "", mode = ""] = parts;
  if (destination === "") throw refuse();
  const spec: VolumeSpec = { source, destination, mode, readOnly: false, copy: true };
  let access: string | undefined;
  for (const option of mode === "" ? [] : mode.split(",")) {
    if (option === "ro" || option === "rw") {
      if (access !== undefined) throw new EngineError("invalid", `invalid mode: ${mode}`);
      access = option;
      spec.readOnly = option === "ro";
    } else if (PROPAGATIONS.includes(option)) {
      if (spec.propagation !== undefined) throw new EngineError("invalid", `invalid mode: ${mode}`);
      spec.propagation = option as MountPropagation;
    } else if (option === "U" || option === "idmap" || option.startsWith("idmap=")) {
      if (spec.owners !== undefined) throw new EngineError("invalid", `invalid mode: ${mode}`);
      spec.owners = parseOwners(option === "U" ? "user" : option.slice("idmap=".length) || "container");
    } else if (option === "nocopy") {
      spec.copy = false;
    } else if (!WITHOUT_EFFECT.includes(option)) {
      throw new EngineError("invalid", `invalid mode: ${mode}`);
    }
  }
  return spec;
}
