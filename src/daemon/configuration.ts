/** What the daemon is told by flags and its configuration file. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import type { RuntimeProgram } from "#engine/runtime/runtimes.ts";
import { EngineError, errorMessage } from "#lib/errors.ts";

export interface Configuration {
  /** `unix://PATH` or `tcp://ADDRESS:PORT`. */
  hosts: string[];
  dataRoot: string;
  execRoot: string;
  pidfile: string | undefined;
  /** Address and prefix of the default bridge. */
  bip: string | undefined;
  /** Name of the default bridge's device; undefined is one of the exec root's own. */
  bridge: string | undefined;
  /** The OCI runtime of containers that choose none: a name among `runtimes`, a program or its path. */
  runtime: string;
  /** Further ones that containers can choose. */
  runtimes: ReadonlyMap<string, RuntimeProgram>;
  logLevel: "debug" | "info" | "warn" | "error";
  /** Group that may use the unix sockets. */
  group: string;
  insecureRegistries: string[];
  registryMirrors: string[];
  dns: string[];
  dnsSearch: string[];
  dnsOptions: string[];
  /** Bytes of file content that one layer may unpack to. */
  maxLayerSize: number;
  /** Seconds after which a start that hangs is given up. */
  startTimeout: number;
  /** Stop the containers when the daemon stops. */
  stopContainers: boolean;
}

export const usage = `Usage:  berth daemon [OPTIONS]

Run the engine in the foreground

Options:
      --add-runtime list               OCI runtime that containers can choose, as NAME=PATH
      --bip string                     Address and prefix of the default bridge (10.5.0.1/16)
  -b, --bridge string                  Name of the default bridge's device
      --config-file string             JSON file with the same settings
      --data-root string               Folder of what must be kept (default "/var/lib/berth")
      --dns list                       DNS server of containers that name none
      --dns-opt list                   DNS option of containers that name none
      --dns-search list                DNS search domain of containers that name none
      --exec-root string               Folder of what a reboot may take (default "/run/berth")
      --group string                   Group that may use the unix sockets (default "docker")
  -H, --host list                      Socket to listen on: unix://PATH or tcp://ADDRESS:PORT
      --insecure-registry list         Registry to be reached without TLS
      --log-level string               debug, info, warn or error (default "info")
      --max-layer-size bytes           What one layer may unpack to, as 500m or 100g; 0 is no limit (default 64g)
      --pidfile string                 File to write the process id to
      --registry-mirror list           Mirror of the Docker Hub to ask first
      --runtime string                 OCI runtime, a name or a path (default "crun")
      --start-timeout seconds          When to give up a start that hangs in the runtime (default 120)
      --stop-containers                Stop the containers when the daemon stops
`;

const levels = z.enum(["debug", "info", "warn", "error"]);

/** Keys as in Docker's daemon.json where it has them. Anything else is refused. */
const fileSchema = z.strictObject({
  hosts: z.array(z.string()).optional(),
  "data-root": z.string().optional(),
  "exec-root": z.string().optional(),
  pidfile: z.string().optional(),
  bip: z.string().optional(),
  bridge: z.string().optional(),
  "default-runtime": z.string().optional(),
  runtimes: z
    .record(z.string(), z.strictObject({ path: z.string().min(1), runtimeArgs: z.array(z.string()).optional() }))
    .optional(),
  "log-level": levels.optional(),
  group: z.string().optional(),
  "insecure-registries": z.array(z.string()).optional(),
  "registry-mirrors": z.array(z.string()).optional(),
  dns: z.array(z.string()).optional(),
  "dns-search": z.array(z.string()).optional(),
  "dns-opts": z.array(z.string()).optional(),
  "max-layer-size": z.string().optional(),
  "start-timeout": z.number().optional(),
  "stop-containers": z.boolean().optional(),
});
type FileSettings = z.infer<typeof fileSchema>;

/** The file's key of each flag that has another name there. */
const FILE_KEYS: Readonly<Record<string, keyof FileSettings>> = {
  host: "hosts",
  runtime: "default-runtime",
  "insecure-registry": "insecure-registries",
  "registry-mirror": "registry-mirrors",
  "dns-opt": "dns-opts",
};

/** Throws kind "invalid" for unknown or contradictory settings. "help" where the usage was asked for. */
export function readConfiguration(argv: readonly string[]): Configuration | "help" {
  const flags = parseFlags(argv);
  if (flags.help === true) return "help";
  const file = flags["config-file"] === undefined ? {} : readFile(flags["config-file"]);
  for (const flag of Object.keys(flags)) {
    const key = FILE_KEYS[flag] ?? (flag as keyof FileSettings);
    if (key in file) {
      throw new EngineError(
        "invalid",
        `the following directives are specified both as a flag and in the configuration file: ${key}`,
      );
    }
  }
  const level = levels.safeParse(flags["log-level"] ?? file["log-level"] ?? "info");
  if (!level.success) throw new EngineError("invalid", `invalid logging level: ${flags["log-level"] ?? ""}`);
  const execRoot = absolute("exec-root", flags["exec-root"] ?? file["exec-root"] ?? "/run/berth");
  return {
    hosts: flags.host ?? file.hosts ?? [`unix://${join(execRoot, "berth.sock")}`],
    dataRoot: absolute("data-root", flags["data-root"] ?? file["data-root"] ?? "/var/lib/berth"),
    execRoot,
    pidfile: flags.pidfile ?? file.pidfile,
    bip: flags.bip ?? file.bip,
    bridge: flags.bridge ?? file.bridge,
    runtime: flags.runtime ?? file["default-runtime"] ?? "crun",
    runtimes: runtimesOf(file.runtimes ?? {}, flags["add-runtime"] ?? []),
    logLevel: level.data,
    group: flags.group ?? file.group ?? "docker",
    insecureRegistries: flags["insecure-registry"] ?? file["insecure-registries"] ?? [],
    registryMirrors: flags["registry-mirror"] ?? file["registry-mirrors"] ?? [],
    dns: flags.dns ?? file.dns ?? [],
    dnsSearch: flags["dns-search"] ?? file["dns-search"] ?? [],
    dnsOptions: flags["dns-opt"] ?? file["dns-opts"] ?? [],
    maxLayerSize: layerSize(flags["max-layer-size"] ?? file["max-layer-size"] ?? "64g"),
    startTimeout: seconds("start-timeout", flags["start-timeout"] ?? file["start-timeout"] ?? 120),
    stopContainers: flags["stop-containers"] ?? file["stop-containers"] ?? false,
  };
}

function parseFlags(argv: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...argv],
      strict: true,
      allowPositionals: false,
      options: {
        help: { type: "boolean" },
        host: { type: "string", short: "H", multiple: true },
        "data-root": { type: "string" },
        "exec-root": { type: "string" },
        "config-file": { type: "string" },
        pidfile: { type: "string" },
        bip: { type: "string" },
        bridge: { type: "string", short: "b" },
        runtime: { type: "string" },
        "add-runtime": { type: "string", multiple: true },
        "log-level": { type: "string" },
        group: { type: "string" },
        "insecure-registry": { type: "string", multiple: true },
        "registry-mirror": { type: "string", multiple: true },
        dns: { type: "string", multiple: true },
        "dns-search": { type: "string", multiple: true },
        "dns-opt": { type: "string", multiple: true },
        "max-layer-size": { type: "string" },
        "start-timeout": { type: "string" },
        "stop-containers": { type: "boolean" },
      },
    });
    return values;
  } catch (cause) {
    throw new EngineError("invalid", `${errorMessage(cause)}\nSee 'berth daemon --help'.`, { cause });
  }
}

function readFile(path: string): FileSettings {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new EngineError("invalid", `cannot read the configuration file ${path}: ${errorMessage(cause)}`, { cause });
  }
  const parsed = fileSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path: at, message }) => `${at.join(".")}: ${message}`.replace(/^: /, ""));
  throw new EngineError("invalid", `cannot use the configuration file ${path}: ${problems.join("; ")}`);
}

function seconds(name: string, value: string | number): number {
  const number = Number(value);
  // What a timer can hold.
  if (number >= 1 && number <= 2_000_000) return number;
  throw new EngineError("invalid", `invalid value "${value}" for --${name}: it must be a number of seconds, 1 or more`);
}

function runtimesOf(
  file: NonNullable<FileSettings["runtimes"]>,
  flags: readonly string[],
): Map<string, RuntimeProgram> {
  const runtimes = new Map<string, RuntimeProgram>();
  for (const [name, { path, runtimeArgs }] of Object.entries(file)) {
    runtimes.set(name, { path, arguments: runtimeArgs ?? [] });
  }
  for (const text of flags) {
    const [, name, path] = /^([^=]+)=(.+)$/.exec(text) ?? [];
    if (name === undefined || path === undefined) {
      throw new EngineError("invalid", `invalid value "${text}" for --add-runtime: it must be NAME=PATH`);
    }
    if (runtimes.has(name)) throw new EngineError("invalid", `the runtime '${name}' is configured twice`);
    runtimes.set(name, { path, arguments: [] });
  }
  return runtimes;
}

function absolute(name: string, path: string): string {
  if (path.startsWith("/")) return path.replace(/(?<=.)\/+$/, "");
  throw new EngineError("invalid", `--${name} must be an absolute path: ${path}`);
}

/** Bytes in powers of 1024, as everywhere in Docker's options; for 0 the largest number that JSON carries exactly. */
function layerSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text);
  if (match === null) throw new EngineError("invalid", `invalid value "${text}" for --max-layer-size: invalid size`);
  const [, number = "", unit = ""] = match;
  return Math.floor(Number(number) * 1024 ** " kmgt".indexOf(unit.toLowerCase() || " ")) || Number.MAX_SAFE_INTEGER;
}
