/** Reads `--mount` and `--volume`. */
import { resolve } from "node:path";
import type { Mount, MountPropagation, MountType } from "#api/types/container-config.ts";
import { splitCsv } from "../kinds.ts";
import { parseBool } from "../go.ts";
import { parseBytes } from "#lib/bytes.ts";

/** Keys that mean `true` when they stand alone. */
const switches = new Set([
  "readonly",
  "ro",
  "volume-nocopy",
  "bind-nonrecursive",
  "bind-create-src",
  "idmap",
  "u",
  "chown",
]);
/** The prefix of options by the type of mount that takes them. */
const optionsOf: Readonly<Record<string, keyof Mount>> = {
  bind: "BindOptions",
  volume: "VolumeOptions",
  image: "ImageOptions",
  tmpfs: "TmpfsOptions",
};

type Keys = Readonly<Record<string, (mount: Mount, value: string, key: string) => void>>;

const keys: Keys = {
  type: (mount, value) => void (mount.Type = value.toLowerCase() as MountType),
  source: (mount, value) => void (mount.Source = value.startsWith(".") ? resolve(value) : value),
  target: (mount, value) => void (mount.Target = value),
  readonly: (mount, value, key) => void (mount.ReadOnly = orInvalid(key, value, parseBool)),
  consistency: (mount, value) => void (mount.Consistency = value.toLowerCase()),
  "bind-propagation": (mount, value) => void (bind(mount).Propagation = value.toLowerCase() as MountPropagation),
  "bind-nonrecursive": (mount, value, key) => void (bind(mount).NonRecursive = orInvalid(key, value, parseBool)),
  "bind-recursive": (mount, value, key) => {
    if (value === "disabled") bind(mount).NonRecursive = true;
    else if (value === "writable") bind(mount).ReadOnlyNonRecursive = true;
    else if (value === "readonly") bind(mount).ReadOnlyForceRecursive = true;
    else if (value !== "enabled") {
      throw new Error(`invalid value for ${key}: ${value} (must be "enabled", "disabled", "writable", or "readonly")`);
    }
  },
  "bind-create-src": (mount, value, key) => void (bind(mount).CreateMountpoint = orInvalid(key, value, parseBool)),
  "volume-subpath": (mount, value) => void (volume(mount).Subpath = value),
  "volume-nocopy": (mount, value, key) => void (volume(mount).NoCopy = orInvalid(key, value, parseBool)),
  "volume-label": (mount, value) => void (volume(mount).Labels = { ...volume(mount).Labels, ...pair(value) }),
  "volume-driver": (mount, value) => void (driver(mount).Name = value),
  "volume-opt": (mount, value) => void (driver(mount).Options = { ...driver(mount).Options, ...pair(value) }),
  "image-subpath": (mount, value) => void ((mount.ImageOptions ??= {}).Subpath = value),
  "tmpfs-size": (mount, value, key) => void (tmpfs(mount).SizeBytes = orInvalid(key, value, parseBytes)),
  "tmpfs-mode": (mount, value, key) => void (tmpfs(mount).Mode = orInvalid(key, value, octal)),
  // Podman's.
  idmap: (mount, value) => owners(mount, value === "true" ? "container" : value),
  u: (mount, value, key) => {
    if (orInvalid(key, value, parseBool)) owners(mount, "user");
  },
};
const synonyms: Readonly<Record<string, string>> = {
  src: "source",
  dst: "target",
  destination: "target",
  ro: "readonly",
  chown: "u",
};

/** One `--mount type=bind,src=/a,dst=/b`. Throws Docker's messages. */
export function parseMount(text: string): Mount {
  const mount: Mount = { Type: "volume" };
  for (const field of splitCsv(text)) {
    const { key, value } = splitField(field);
    const name = synonyms[key] ?? key;
    const set = Object.hasOwn(keys, name) ? keys[name] : undefined;
    if (!set) throw new Error(`unexpected key '${key}' in '${field}'`);
    set(mount, value, key);
  }
  check(mount);
  return mount;
}

function splitField(field: string): { key: string; value: string } {
  const cut = field.indexOf("=");
  const key = (cut < 0 ? field : field.slice(0, cut)).toLowerCase();
  if (cut < 0 && !switches.has(key)) throw new Error(`invalid field '${field}' must be a key=value pair`);
  return { key, value: cut < 0 ? "true" : field.slice(cut + 1) };
}

function check(mount: Mount): void {
  if (!mount.Type) throw new Error("type is required");
  if (!mount.Target) throw new Error("target is required");
  for (const [prefix, options] of Object.entries(optionsOf)) {
    if (mount.Type !== prefix && mount[options])
      throw new Error(`cannot mix '${prefix}-*' options with mount type '${mount.Type}'`);
  }
  const { BindOptions: options, ReadOnly } = mount;
  if (options?.ReadOnlyNonRecursive && !ReadOnly) {
    throw new Error("option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction");
  }
  if (!options?.ReadOnlyForceRecursive) return;
  if (!ReadOnly) throw new Error("option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction");
  if (options.Propagation !== "rprivate") {
    throw new Error(
      "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction",
    );
  }
}

function bind(mount: Mount): NonNullable<Mount["BindOptions"]> {
  return (mount.BindOptions ??= {});
}
function volume(mount: Mount): NonNullable<Mount["VolumeOptions"]> {
  return (mount.VolumeOptions ??= {});
}
function tmpfs(mount: Mount): NonNullable<Mount["TmpfsOptions"]> {
  return (mount.TmpfsOptions ??= {});
}
function owners(mount: Mount, value: string): void {
  if (mount.Owners !== undefined) throw new Error("options 'idmap' and 'U' cannot be combined or repeated");
  mount.Owners = value;
}
function driver(mount: Mount): { Name?: string; Options?: Record<string, string> | null } {
  return (volume(mount).DriverConfig ??= {});
}

function pair(text: string): Record<string, string> {
  const cut = text.indexOf("=");
  return cut < 0 ? { [text]: "" } : { [text.slice(0, cut)]: text.slice(cut + 1) };
}

function orInvalid<T>(key: string, value: string, parse: (text: string) => T): T {
  try {
    return parse(value);
  } catch (error) {
    throw new Error(`invalid value for ${key}: ${value}`, { cause: error });
  }
}

function octal(text: string): number {
  if (!/^[0-7]+$/.test(text)) throw new Error("not octal");
  return parseInt(text, 8);
}

/**
 * One `--volume`: a bind (source made absolute), a named volume, or an anonymous volume's path in the container.
 * Only the form is checked, the daemon checks the rest. Throws Docker's messages.
 */
export function parseVolume(spec: string): { bind: string } | { anonymous: string } {
  if (spec === "") throw new Error("invalid empty volume spec");
  if (spec.length <= 2) return { anonymous: spec };
  const parts = spec.split(":");
  const invalid = (cause: string) => new Error(`invalid spec: ${spec}: ${cause}`);
  if (parts.includes("")) throw invalid("empty section between colons");
  if (parts.length === 1) return { anonymous: spec };
  if (parts.length > 3) throw invalid("too many colons");
  const [source = "", ...rest] = parts;
  return { bind: [source.startsWith(".") ? resolve(source) : source, ...rest].join(":") };
}
