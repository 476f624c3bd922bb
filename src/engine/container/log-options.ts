/** `--log-driver` and `--log-opt`: which are kept, and which labels and variables `logs --details` shows. */
import type { ContainerConfig, LogConfig } from "#api/types/container.ts";
import { EngineError } from "#lib/errors.ts";

const ROTATION = ["max-size", "max-file", "compress"];
const ATTRIBUTES = ["labels", "labels-regex", "env", "env-regex"];

/** Every driver writes the same file: conmon's. `none` writes none and takes any option, as Docker's does. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  "json-file": [...ROTATION, ...ATTRIBUTES, "tag"],
  local: ROTATION,
};

/** The driver and its options, filled in. Throws "invalid": unknown driver or option, "not-implemented": rotation. */
export function checkLogConfig({ Type, Config }: LogConfig): LogConfig {
  const driver = Type || "json-file";
  const options = { ...Config };
  if (driver === "none") return { Type: driver, Config: options };
  const known = Object.hasOwn(OPTIONS, driver) ? OPTIONS[driver] : undefined;
  if (known === undefined) {
    throw new EngineError("invalid", `logger: no log driver named '${driver}' is registered`);
  }
  for (const [name, value] of Object.entries(options)) {
    if (name === "mode" && ["", "blocking"].includes(value)) continue;
    if (name === "mode" && value !== "non-blocking") {
      throw new EngineError("invalid", `logger: logging mode not supported: ${value}`);
    }
    if (name === "mode" || name === "max-buffer-size" || (known.includes(name) && !ATTRIBUTES.includes(name))) {
      throw new EngineError("not-implemented", `the log option '${name}' is not supported yet`);
    }
    if (!known.includes(name)) {
      throw new EngineError("invalid", `unknown log opt '${name}' for ${driver} log driver`);
    }
    if (name.endsWith("-regex")) expression(value);
  }
  return { Type: driver, Config: options };
}

/** What `logs --details` writes in front of each line: the attributes that the log options choose, in one word. */
export function logDetails({ Labels, Env }: ContainerConfig, { Config }: LogConfig): string {
  const options = Config ?? {};
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
  return [...attributes]
    .map(([name, value]) => `${escape(name)}=${escape(value)}`)
    .toSorted()
    .join(",");
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
