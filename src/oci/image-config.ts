/** Image configs: the JSON document whose digest is the image's id, and what of it a container starts from. */
import { EngineError } from "#lib/errors.ts";
import { type Digest, isDigest } from "./digest.ts";
import { isRecord, type JsonObject, optionalString, parseJsonObject, stringMap, stringSet, stringsOf } from "./json.ts";
import { type Platform } from "./platform.ts";

/** `HEALTHCHECK` of Docker's image spec v1.2 and later; durations in nanoseconds. */
export interface Healthcheck {
  readonly Test?: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

/** The `config` member: OCI image-spec "Image Configuration", with Docker's own members. */
export interface RunConfig {
  readonly User?: string;
  readonly ExposedPorts?: Readonly<Record<string, Record<string, never>>>;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Volumes?: Readonly<Record<string, Record<string, never>>>;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  readonly StopTimeout?: number;
  readonly ArgsEscaped?: boolean;
  readonly Healthcheck?: Healthcheck;
  readonly OnBuild?: readonly string[];
  readonly Shell?: readonly string[];
}

export interface History {
  /** RFC 3339. */
  readonly created?: string;
  readonly created_by?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}

/** A parsed image config; `rootfs` is bottom first. Member names are the document's own. */
export interface ImageConfig extends Platform {
  readonly created?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly docker_version?: string;
  readonly container?: string;
  readonly parent?: string;
  readonly config: RunConfig;
  readonly rootfs: { readonly type: "layers"; readonly diff_ids: readonly Digest[] };
  readonly history: readonly History[];
}

/** Reads a config blob. Throws kind "invalid" where it is not one or a diffID is malformed. */
export function parseImageConfig(bytes: Uint8Array | string): ImageConfig {
  const document = parseJsonObject(bytes, "the image config");
  const rootfs = document["rootfs"];
  if (!isRecord(rootfs)) throw new EngineError("invalid", "invalid image config: it has no rootfs");
  const ids = stringsOf(rootfs["diff_ids"]) ?? [];
  const diffIds = ids.map((id) => {
    if (!isDigest(id)) throw new EngineError("invalid", `invalid image config: bad diff id ${JSON.stringify(id)}`);
    return id;
  });
  const history = Array.isArray(document["history"]) ? document["history"].filter(isRecord).map(parseHistory) : [];
  return {
    ...strings(document, [
      "created",
      "author",
      "comment",
      "docker_version",
      "container",
      "parent",
      "variant",
      "os.version",
    ]),
    ...(stringsOf(document["os.features"]) !== undefined && {
      "os.features": stringsOf(document["os.features"]) ?? [],
    }),
    os: optionalString(document["os"]) ?? "linux",
    architecture: optionalString(document["architecture"]) ?? "",
    config: parseRunConfig(document["config"]),
    rootfs: { type: "layers", diff_ids: diffIds },
    history,
  };
}

/** Reads a `config` member, forgiving: what has the wrong type is left out. */
export function parseRunConfig(value: unknown): RunConfig {
  if (!isRecord(value)) return {};
  return dropUndefined({
    ...strings(value, ["User", "WorkingDir", "StopSignal"]),
    ExposedPorts: stringSet(value["ExposedPorts"]),
    Env: stringsOf(value["Env"]),
    Entrypoint: commandOf(value["Entrypoint"]),
    Cmd: commandOf(value["Cmd"]),
    Volumes: stringSet(value["Volumes"]),
    Labels: stringMap(value["Labels"]),
    StopTimeout: numberOf(value["StopTimeout"]),
    ArgsEscaped: typeof value["ArgsEscaped"] === "boolean" ? value["ArgsEscaped"] : undefined,
    Healthcheck: parseHealthcheck(value["Healthcheck"]),
    OnBuild: stringsOf(value["OnBuild"]),
    Shell: stringsOf(value["Shell"]),
  });
}

/** The document to store: Go's member order, so that equal images have equal ids whoever wrote them. */
export function serializeImageConfig(config: ImageConfig): Uint8Array {
  const { architecture, variant, os, created, author, comment, config: run, rootfs, history } = config;
  const document = {
    architecture,
    ...(author !== undefined && { author }),
    ...(comment !== undefined && { comment }),
    config: run,
    ...(created !== undefined && { created }),
    history,
    os,
    ...(config["os.version"] !== undefined && { "os.version": config["os.version"] }),
    ...(config["os.features"] !== undefined && { "os.features": config["os.features"] }),
    rootfs: { type: rootfs.type, diff_ids: rootfs.diff_ids },
    ...(variant !== undefined && { variant }),
  };
  return new TextEncoder().encode(JSON.stringify(document));
}

function parseHistory(value: JsonObject): History {
  return {
    ...strings(value, ["created", "created_by", "author", "comment"]),
    ...(value["empty_layer"] === true && { empty_layer: true }),
  };
}

function parseHealthcheck(value: unknown): Healthcheck | undefined {
  if (!isRecord(value)) return undefined;
  return dropUndefined({
    Test: stringsOf(value["Test"]),
    Interval: numberOf(value["Interval"]),
    Timeout: numberOf(value["Timeout"]),
    StartPeriod: numberOf(value["StartPeriod"]),
    StartInterval: numberOf(value["StartInterval"]),
    Retries: numberOf(value["Retries"]),
  });
}

/** Old images carry a lone string where a list belongs. */
function commandOf(value: unknown): string[] | undefined {
  return typeof value === "string" ? [value] : stringsOf(value);
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

function strings<const K extends string>(source: JsonObject, keys: readonly K[]): { [P in K]?: string } {
  const found: { [P in K]?: string } = {};
  for (const key of keys) {
    const value = optionalString(source[key]);
    if (value !== undefined) found[key] = value;
  }
  return found;
}

function dropUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
