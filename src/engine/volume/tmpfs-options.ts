/** The options of a tmpfs mount: Docker's defaults under the user's own, the last of each kind winning. */
import { EngineError } from "#lib/errors.ts";

const DEFAULTS = ["noexec", "nosuid", "nodev", "rprivate"];

/** Names that exclude each other share a word. */
const FLAGS: Readonly<Record<string, string>> = {
  ...kind("access", "ro rw"),
  ...kind("setuid", "suid nosuid"),
  ...kind("devices", "dev nodev"),
  ...kind("programs", "exec noexec"),
  ...kind("sync", "sync async"),
  ...kind("dirsync", "dirsync"),
  ...kind("mand", "mand nomand"),
  ...kind("atime", "atime noatime"),
  ...kind("diratime", "diratime nodiratime"),
  ...kind("relatime", "relatime norelatime"),
  ...kind("strictatime", "strictatime nostrictatime"),
  ...kind("propagation", "unbindable runbindable private rprivate shared rshared slave rslave"),
};
const VALUES = new Set(["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"]);

function kind(name: string, options: string): Record<string, string> {
  return Object.fromEntries(options.split(" ").map((option) => [option, name]));
}

/** `asked` as `--tmpfs` takes them (`size=2m`, `exec`, …). Throws kind "invalid" for an unknown one. */
export function tmpfsOptions(asked: readonly string[]): string[] {
  const taken = new Set<string>();
  const kept: string[] = [];
  for (const option of [...DEFAULTS, ...asked].toReversed()) {
    if (option === "defaults") continue;
    const [name = "", ...value] = option.split("=");
    const key = FLAGS[option] ?? (value.length > 0 && VALUES.has(name) ? name : undefined);
    if (key === undefined) throw new EngineError("invalid", `invalid tmpfs option ${JSON.stringify([option])}`);
    if (taken.has(key)) continue;
    taken.add(key);
    kept.push(option);
  }
  return kept.toReversed();
}
