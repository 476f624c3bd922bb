/** Which device nodes a container gets and which it may use. */
import { lstatSync, readdirSync, realpathSync, type Stats } from "node:fs";
import { join } from "node:path";
import type { HostConfig } from "#api/types/container-config.ts";
import { EngineError, errorMessage } from "#lib/errors.ts";
import { splitDevice } from "./resources.ts";
import type { DeviceRule, DeviceSpec } from "./types.ts";

export interface ContainerDevices {
  nodes: DeviceSpec[];
  rules: DeviceRule[];
}

const character = (allow: boolean, major: number, minor: number): DeviceRule => ({
  allow,
  type: "c",
  major,
  minor,
  access: "rwm",
});

/** zero, null, urandom, random, tty, console; not fuse. The runtime itself adds full, ptmx and the ptys. */
const defaultRules: readonly DeviceRule[] = [
  { allow: false, access: "rwm" },
  character(true, 1, 5),
  character(true, 1, 3),
  character(true, 1, 9),
  character(true, 1, 8),
  character(true, 5, 0),
  character(true, 5, 1),
  character(false, 10, 229),
];

/** Throws kind "invalid" where a `--device` is none or a rule is malformed. */
export function containerDevices(hostConfig: HostConfig, warnings: string[]): ContainerDevices {
  const mappings = hostConfig.Devices ?? [];
  if (hostConfig.Privileged) {
    const nodes = hostDevices("/dev");
    for (const { PathOnHost, PathInContainer, CgroupPermissions } of mappings) {
      if (CgroupPermissions !== "rwm" && CgroupPermissions !== "") {
        warnings.push(
          `custom ${CgroupPermissions} permissions for device ${PathOnHost} are ignored in privileged mode`,
        );
      }
      if (PathOnHost !== PathInContainer) nodes.push(...devicesFrom(PathOnHost, PathInContainer));
    }
    return { nodes, rules: [{ allow: true, access: "rwm" }] };
  }
  const custom = hostConfig.DeviceCgroupRules ?? [];
  if (mappings.length === 0 && custom.length === 0) return { nodes: [], rules: [...defaultRules] };
  const nodes: DeviceSpec[] = [];
  const rules = [...defaultRules];
  for (const { PathOnHost, PathInContainer, CgroupPermissions } of mappings) {
    for (const node of devicesFrom(PathOnHost, PathInContainer)) {
      nodes.push(node);
      const type = node.type === "b" ? "b" : "c";
      rules.push({ allow: true, type, major: node.major, minor: node.minor, access: CgroupPermissions || "rwm" });
    }
  }
  return { nodes, rules: [...rules, ...custom.map(parseDeviceRule)] };
}

/** `c 13:* rwm`; `*` stands for every number. */
export function parseDeviceRule(text: string): DeviceRule {
  const [, type, major, minor, access = ""] = /^([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(text) ?? [];
  if (type === undefined) throw new EngineError("invalid", `invalid device cgroup rule format: '${text}'`);
  return {
    allow: true,
    type: type as "a" | "b" | "c",
    ...(major !== "*" && { major: Number(major) }),
    ...(minor !== "*" && { minor: Number(minor) }),
    access,
  };
}

/** The device at `onHost`, or all in the folder that it is. */
function devicesFrom(onHost: string, inContainer: string): DeviceSpec[] {
  const target = inContainer || onHost;
  let real: string;
  let stat: Stats;
  try {
    real = realpathSync(onHost);
    stat = lstatSync(real);
  } catch (cause) {
    throw cannotAdd(onHost, goReason(cause), cause);
  }
  const device = deviceSpec(target, stat);
  if (device !== undefined) return [device];
  const found = stat.isDirectory() ? walk(real, () => true).map((node) => move(node, real, target)) : [];
  if (found.length === 0) throw cannotAdd(onHost, "not a device node");
  return found;
}

/** `ENOENT: no such file or directory, lstat '/dev/x'` without what the message says already. */
function goReason(cause: unknown): string {
  return errorMessage(cause).replace(/^E[A-Z]+: (.*), \w+ '.*'$/s, "$1");
}

function move(node: DeviceSpec, from: string, to: string): DeviceSpec {
  return { ...node, path: join(to, node.path.slice(from.length)) };
}

function cannotAdd(path: string, why: string, cause?: unknown): EngineError {
  const message = `error gathering device information while adding custom device ${JSON.stringify(path)}: ${why}`;
  return new EngineError("invalid", message, { cause });
}

/** Of the whole host but what belongs to one container: its console and what is mounted at these places. */
const OWN_FOLDERS = new Set(["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"]);

function hostDevices(folder: string): DeviceSpec[] {
  return walk(folder, (name) => !OWN_FOLDERS.has(name)).filter(({ path }) => path !== "/dev/console");
}

function walk(folder: string, enter: (name: string) => boolean): DeviceSpec[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry): DeviceSpec[] => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return enter(entry.name) ? walk(path, enter) : [];
    if (!entry.isCharacterDevice() && !entry.isBlockDevice()) return [];
    // A device may be unplugged between the two calls.
    const stat = lstatSync(path, { throwIfNoEntry: false });
    const device = stat && deviceSpec(path, stat);
    return device === undefined ? [] : [device];
  });
}

function deviceSpec(path: string, stat: Stats): DeviceSpec | undefined {
  const type = stat.isCharacterDevice() ? "c" : stat.isBlockDevice() ? "b" : undefined;
  if (type === undefined) return undefined;
  return { path, type, ...splitDevice(stat.rdev), fileMode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid };
}
