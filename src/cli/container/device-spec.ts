/** Reads `--device`, `--device-read-bps` and their like, `--gpus` and `--ulimit`. */
import { normalize } from "node:path/posix";
import type {
  DeviceMapping,
  DeviceRequest,
  ThrottleDevice,
  Ulimit,
  WeightDevice,
} from "#api/types/container-config.ts";
import { splitCsv } from "../kinds.ts";
import { parseBytes } from "#lib/bytes.ts";
import { parseInteger } from "../go.ts";

/** `vendor/class=name`, a device by the name its CDI file gives it. */
export function isCdiName(text: string): boolean {
  return /^[A-Za-z][\w.-]*\/[A-Za-z][\w.-]*=[\w.:-]+$/.test(text);
}

/** One `--device /dev/a[:/dev/b[:rwm]]`. Throws Docker's messages. */
export function parseDevice(text: string): DeviceMapping {
  const parts = text.split(":");
  const [source = "", second, third] = parts;
  if (parts.length > 3 || source === "") throw new Error(`bad format for path: ${text}`);
  const modeSecond = second !== undefined && third === undefined && isMode(second);
  const target = second === undefined || modeSecond ? source : second;
  const mode = third ?? (modeSecond ? second : undefined);
  if (mode !== undefined && !isMode(mode)) throw new Error(`bad mode specified: ${mode}`);
  if (!target.startsWith("/")) throw new Error(`${target} is not an absolute path`);
  const path = third === undefined ? normalize(target) : target;
  return { PathOnHost: target === source ? path : source, PathInContainer: path, CgroupPermissions: mode ?? "rwm" };
}

/** Each of r, w, m at most once. */
function isMode(text: string): boolean {
  return /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length;
}

export function parseCgroupRule(text: string): string {
  if (!/^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(text))
    throw new Error(`invalid device cgroup format '${text}'`);
  return text;
}

export function parseWeightDevice(text: string): WeightDevice {
  const [path, weight] = devicePath(text);
  const value = /^\d+$/.test(weight) ? Number(weight) : Number.NaN;
  if (Number.isNaN(value)) throw new Error(`invalid weight for device: ${text}`);
  if (value > 0 && (value < 10 || value > 1000)) throw new Error(`invalid weight for device: ${text}`);
  return { Path: path, Weight: value };
}

export function parseBpsDevice(text: string): ThrottleDevice {
  const [path, rate] = devicePath(text);
  try {
    return { Path: path, Rate: parseBytes(rate) };
  } catch (error) {
    throw new Error(
      `invalid rate for device: ${text}. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb`,
      { cause: error },
    );
  }
}

export function parseIopsDevice(text: string): ThrottleDevice {
  const [path, rate] = devicePath(text);
  if (!/^\d+$/.test(rate)) {
    throw new Error(
      `invalid rate for device: ${text}. The correct format is <device-path>:<number>. Number must be a positive integer`,
    );
  }
  return { Path: path, Rate: Number(rate) };
}

function devicePath(text: string): [path: string, rest: string] {
  const cut = text.indexOf(":");
  if (cut <= 0) throw new Error(`bad format: ${text}`);
  const path = text.slice(0, cut);
  if (!path.startsWith("/dev/")) throw new Error(`bad format for device path: ${text}`);
  return [path, text.slice(cut + 1)];
}

/** One `--gpus all`, `--gpus 2`, `--gpus "device=0,driver=nvidia"`. */
export function parseGpus(text: string): DeviceRequest {
  const request: DeviceRequest = { Driver: "", Count: 0, DeviceIDs: null, Capabilities: [["gpu"]], Options: {} };
  const seen = new Set<string>();
  for (const field of splitCsv(text)) {
    const cut = field.indexOf("=");
    const key = cut < 0 ? field : field.slice(0, cut);
    const value = field.slice(cut + 1);
    if (seen.has(key)) throw new Error(`gpu request key '${key}' can be specified only once`);
    seen.add(key);
    if (cut < 0 || key === "count") {
      seen.add("count");
      request.Count = gpuCount(value);
    } else if (key === "driver") request.Driver = value;
    else if (key === "device") request.DeviceIDs = value.split(",");
    else if (key === "capabilities") request.Capabilities = [[...value.split(","), "gpu"]];
    else if (key === "options") {
      request.Options = Object.fromEntries(
        splitCsv(value).map((option) => option.split(/=(.*)/s, 2).concat("").slice(0, 2) as [string, string]),
      );
    } else throw new Error(`unexpected key '${key}' in '${field}'`);
  }
  if (!seen.has("count") && request.DeviceIDs === null) request.Count = 1;
  return request;
}

function gpuCount(text: string): number {
  if (text === "all") return -1;
  if (/^[+-]?\d+$/.test(text)) return Number(text);
  throw new Error(`invalid count (${text}): value must be either "all" or an integer: invalid syntax`);
}

const ulimitNames = [
  "core",
  "cpu",
  "data",
  "fsize",
  "locks",
  "memlock",
  "msgqueue",
  "nice",
  "nofile",
  "nproc",
  "rss",
  "rtprio",
  "rttime",
  "sigpending",
  "stack",
];

/** One `--ulimit name=soft[:hard]`; -1 is unlimited. */
export function parseUlimit(text: string): Ulimit {
  const cut = text.indexOf("=");
  if (cut < 0) throw new Error(`invalid ulimit argument: ${text}`);
  const name = text.slice(0, cut);
  if (!ulimitNames.includes(name)) throw new Error(`invalid ulimit type: ${name}`);
  const limits = text.slice(cut + 1).split(":");
  if (limits.length > 2) {
    throw new Error(
      `too many limit value arguments - ${text.slice(cut + 1)}, can only have up to two, \`soft[:hard]\``,
    );
  }
  const [soft = 0, hard = soft] = limits.map((limit) => parseInteger(limit, { bits: 64, signed: true }));
  if (hard !== -1 && soft === -1) {
    throw new Error(`ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: ${hard}`);
  }
  if (hard !== -1 && soft > hard)
    throw new Error(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
  return { Name: name, Soft: soft, Hard: hard };
}
