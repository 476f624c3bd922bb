/** The log drivers. All that keep lines keep them in the monitor's file; they differ in what may be said of it. */
import type { StringMap } from "#api/types/container-config.ts";
import { EngineError } from "#lib/errors.ts";
import type { LogBounds } from "./bounds.ts";

/**
 * What a container's log becomes. A driver that ships lines elsewhere would be one more entry here, and a follower of
 * the file that `bounds` describes.
 */
export interface LogDriver {
  /** Names of the options it takes; undefined takes any and heeds none. */
  readonly options: readonly string[] | undefined;
  /** How it names itself where an option is unknown. */
  readonly called: string;
  /** Of the file; undefined keeps none. Throws "invalid" for values that make no sense. */
  bounds(options: StringMap): LogBounds | undefined;
}

const FILE_OPTIONS = ["max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag"];

const DEFAULT_SIZE = 10_000_000;
const DEFAULT_FILES = 5;

const DRIVERS: Readonly<Record<string, LogDriver>> = {
  "json-file": { options: FILE_OPTIONS, called: "json-file log driver", bounds: jsonFileBounds },
  local: { options: FILE_OPTIONS, called: "log driver local", bounds: localBounds },
  none: { options: undefined, called: "none", bounds: () => undefined },
};

/** Docker's others: they send lines to a service. */
const SHIPPING = ["awslogs", "etwlogs", "fluentd", "gcplogs", "gelf", "journald", "splunk", "syslog"];

/** Those that keep lines, as `info` lists them. */
export const logDrivers: readonly string[] = ["json-file", "local"];

/** Throws "not-implemented" for a driver of Docker's that ships, "invalid" for one that nobody knows. */
export function logDriver(name: string): LogDriver {
  const driver = Object.hasOwn(DRIVERS, name) ? DRIVERS[name] : undefined;
  if (driver !== undefined) return driver;
  if (SHIPPING.includes(name)) {
    throw new EngineError("not-implemented", `the log driver '${name}' is not supported yet: use json-file or local`);
  }
  throw new EngineError("invalid", `logger: no log driver named '${name}' is registered`);
}

/** As Docker's, but bounded where nothing is said, and compressed. One that gives a size alone gets one file, as there. */
function jsonFileBounds(options: StringMap): LogBounds {
  const size = options["max-size"];
  const maxSize = size === undefined ? DEFAULT_SIZE : sizeOf(size);
  if (maxSize <= 0) refuse("max-size must be a positive number");
  const files = options["max-file"];
  const maxFiles = files === undefined ? (size === undefined ? DEFAULT_FILES : 1) : integer(files);
  if (maxFiles < 1) refuse("max-file cannot be less than 1");
  const compress = options["compress"] === undefined ? maxFiles > 1 : boolean(options["compress"]);
  if (compress && maxFiles === 1) {
    refuse("compress cannot be true when max-file is less than 2 or max-size is not set");
  }
  return whole(maxSize, maxFiles, compress);
}

function localBounds(options: StringMap): LogBounds {
  const { "max-size": size, "max-file": files, compress: compressed } = options;
  const maxSize = size === undefined ? DEFAULT_SIZE : named("max-size", size, () => sizeOf(size));
  const maxFiles = files === undefined ? DEFAULT_FILES : named("max-file", files, () => integer(files));
  if (maxFiles < 0) refuse("max-file must not be negative");
  const compress = compressed === undefined || boolean(compressed, "invalid boolean value for compress: ");
  if (compress && maxFiles <= 1) refuse("compression cannot be enabled when max file count is 1");
  return whole(maxSize || Infinity, maxFiles, compress);
}

/** One file alone would lose all its lines at once: it is kept as two halves. */
function whole(maxSize: number, maxFiles: number, compress: boolean): LogBounds {
  if (maxFiles > 1) return { maxSize, maxFiles, compress };
  return { maxSize: Math.ceil(maxSize / 2), maxFiles: 2, compress: false };
}

/** Powers of 1000, as Docker's units.FromHumanSize; `-1` is no bound. */
function sizeOf(text: string): number {
  if (text === "-1") return Infinity;
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text);
  if (match === null) return refuse(`invalid size: '${text}'`);
  return Math.trunc(Number(match[1]) * 1000 ** " kmgtp".indexOf(match[2]?.toLowerCase() || " "));
}

function integer(text: string): number {
  if (!/^[+-]?\d{1,9}$/.test(text)) refuse(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

function boolean(text: string, prefix = ""): boolean {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(text)) return false;
  return refuse(`${prefix}strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

function named(option: string, value: string, read: () => number): number {
  try {
    return read();
  } catch (cause) {
    const why = (cause as Error).message.replace(PREFIX, "");
    throw new EngineError("invalid", `${PREFIX}invalid value for ${option}: ${value}: ${why}`, { cause });
  }
}

/** What Docker, which looks at values only when it starts the container, says then. */
const PREFIX = "failed to initialize logging driver: ";

function refuse(why: string): never {
  throw new EngineError("invalid", PREFIX + why);
}
