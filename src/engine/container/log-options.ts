/** `--log-driver` and `--log-opt`: what a container's log is, and what `logs --details` shows. */
import type { ContainerConfig, LogConfig } from "#api/types/container-config.ts";
import type { LogBounds } from "#engine/log/bounds.ts";
import { logDriver } from "#engine/log/drivers.ts";
import { logTag, type TagSubject } from "#engine/log/tag.ts";
import { EngineError } from "#lib/errors.ts";
import type { ContainerDefaults } from "./defaults.ts";
import type { ContainerRecord } from "./record.ts";

export interface CheckedLogConfig {
  /** With the daemon's defaults, as inspect shows it. */
  logConfig: LogConfig;
  warnings: string[];
}

/** Throws "invalid" for an unknown driver, an unknown option or a value without sense; "not-implemented" as logDriver. */
export function checkLogConfig(asked: LogConfig, defaults: ContainerDefaults["log"]): CheckedLogConfig {
  const Type = asked.Type || defaults.Type;
  const options = { ...(Type === defaults.Type && defaults.Config), ...asked.Config };
  const logConfig = { Type, Config: options };
  const driver = logDriver(Type);
  if (driver.options === undefined) return { logConfig, warnings: [] };
  const warnings = checkMode(options, Type);
  for (const [name, value] of Object.entries(options)) {
    if (name === "mode" || name === "max-buffer-size") continue;
    if (!driver.options.includes(name)) {
      throw new EngineError("invalid", `unknown log opt '${name}' for ${driver.called}`);
    }
    if (name.endsWith("-regex")) expression(value);
  }
  driver.bounds(options);
  if (options["tag"]) logTag(options["tag"], { id: "", name: "", imageId: "", imageName: "", command: [] });
  return { logConfig, warnings };
}

/** Of the log's files; undefined where none are kept. */
export function logBounds({ Type, Config }: LogConfig): LogBounds | undefined {
  return logDriver(Type).bounds(Config ?? {});
}

/** Lines are never dropped: they are in a file of this host before anybody could be kept waiting by a slow receiver. */
function checkMode(options: Record<string, string>, driver: string): string[] {
  const { mode = "", "max-buffer-size": buffer } = options;
  if (!["", "blocking", "non-blocking"].includes(mode)) {
    throw new EngineError("invalid", `logger: logging mode not supported: ${mode}`);
  }
  if (buffer !== undefined && mode !== "non-blocking") {
    throw new EngineError("invalid", "logger: max-buffer-size option is only supported with 'mode=non-blocking'");
  }
  if (buffer !== undefined && !/^\d+(\.\d+)? ?[kmgtp]?(i?b)?$/i.test(buffer)) {
    throw new EngineError("invalid", `error parsing option max-buffer-size: invalid size: '${buffer}'`);
  }
  if (mode !== "non-blocking") return [];
  return [`The log option mode=non-blocking has no effect: the ${driver} driver writes to a file and drops no lines.`];
}

/** What `logs --details` writes in front of each line: the attributes that the log options choose, in one word. */
export function logDetails(record: ContainerRecord): string {
  const { Labels, Env }: ContainerConfig = record.config;
  const options = record.hostConfig.LogConfig.Config ?? {};
  const chosen = (names: string | undefined, pattern: string | undefined): ((name: string) => boolean) => {
    const list = names === undefined ? [] : names.split(",");
    const matcher = pattern ? expression(pattern) : undefined;
    return (name) => list.includes(name) || matcher?.test(name) === true;
  };
  const label = chosen(options["labels"], options["labels-regex"]);
  const variable = chosen(options["env"], options["env-regex"]);
  const attributes = new Map(Object.entries(Labels).filter(([name]) => label(name)));
  for (const entry of Env ?? []) {
    const [name = "", ...value] = entry.split("=");
    if (variable(name)) attributes.set(name, value.join("="));
  }
  if (options["tag"]) attributes.set("tag", logTag(options["tag"], tagSubject(record)));
  return [...attributes]
    .map(([name, value]) => `${escape(name)}=${escape(value)}`)
    .toSorted()
    .join(",");
}

function tagSubject({ id, name, imageId, config }: ContainerRecord): TagSubject {
  const command = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  return { id, name, imageId, imageName: config.Image, command };
}

function expression(pattern: string): RegExp {
  try {
    return new RegExp(pattern);
  } catch (cause) {
    throw new EngineError("invalid", `invalid log option: ${JSON.stringify(pattern)} is not a regular expression`, {
      cause,
    });
  }
}

/** As Go's url.QueryEscape. */
function escape(text: string): string {
  return encodeURIComponent(text)
    .replaceAll("%20", "+")
    .replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}
