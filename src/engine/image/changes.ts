/** Applies Dockerfile instructions to a run configuration: `--change` of commit and import. */
import { posix } from "node:path";
import { parseSignal } from "#engine/container/signals.ts";
import { EngineError } from "#lib/errors.ts";
import { parseDuration } from "#lib/time-filter.ts";
import type { Healthcheck, RunConfig } from "#oci/image-config.ts";
import { jsonWords, shellWords } from "./words.ts";

type Apply = (config: RunConfig, rest: string) => RunConfig;

const instructions: Readonly<Record<string, Apply>> = {
  CMD: (config, rest) => ({ ...config, Cmd: command(config, rest) }),
  ENTRYPOINT: (config, rest) => ({ ...config, Entrypoint: command(config, rest) }),
  ENV: (config, rest) => ({ ...config, Env: mergeEnv(config.Env ?? [], pairs(config, rest, "ENV")) }),
  EXPOSE: (config, rest) => ({ ...config, ExposedPorts: { ...config.ExposedPorts, ...ports(words(config, rest)) } }),
  HEALTHCHECK: (config, rest) => ({ ...config, Healthcheck: healthcheck(rest) }),
  LABEL: (config, rest) => ({
    ...config,
    Labels: { ...config.Labels, ...Object.fromEntries(pairs(config, rest, "LABEL")) },
  }),
  ONBUILD: (config, rest) => ({ ...config, OnBuild: [...(config.OnBuild ?? []), onBuild(rest)] }),
  STOPSIGNAL: (config, rest) => ({ ...config, StopSignal: stopSignal(one(config, rest, "STOPSIGNAL")) }),
  USER: (config, rest) => ({ ...config, User: one(config, rest, "USER") }),
  VOLUME: (config, rest) => ({ ...config, Volumes: { ...config.Volumes, ...volumes(config, rest) } }),
  WORKDIR: (config, rest) => ({
    ...config,
    WorkingDir: posix.resolve("/", config.WorkingDir ?? "", one(config, rest, "WORKDIR")),
  }),
};

/** Instructions that take one argument; the others take one at least, or none. */
const single = new Set(["USER", "WORKDIR", "STOPSIGNAL"]);

/**
 * The configuration with every instruction applied in turn; they are lines of one Dockerfile, comments too. Throws
 * "invalid" for an instruction that is unknown or malformed, and where there are changes but no instruction.
 */
export function applyChanges(config: RunConfig, changes: readonly string[]): RunConfig {
  if (changes.length === 0) return config;
  const lines = changes
    .join("\n")
    .replaceAll(/\\[ \t]*\n/g, "")
    .split("\n")
    .filter((line) => !/^\s*(#|$)/.test(line));
  if (lines.length === 0) throw new EngineError("invalid", "file with no instructions");
  let changed = config;
  let commandGiven = false;
  for (const line of lines) {
    const [, name = "", rest = ""] = /^\s*(\S+)\s*(.*?)\s*$/s.exec(line) ?? [];
    const instruction = name.toUpperCase();
    const apply = Object.hasOwn(instructions, instruction) ? instructions[instruction] : undefined;
    if (apply === undefined) throw new EngineError("invalid", `${name} is not a valid change command`);
    if (rest === "" && instruction !== "CMD" && instruction !== "ENTRYPOINT") {
      const needed = single.has(instruction) ? "exactly one argument" : "at least one argument";
      throw new EngineError("invalid", `${instruction} requires ${needed}`);
    }
    changed = apply(changed, rest);
    if (instruction === "CMD") commandGiven = true;
    // A command that was there before was meant for another entrypoint.
    if (instruction === "ENTRYPOINT" && !commandGiven) changed = { ...changed, Cmd: [] };
  }
  return changed;
}

function stopSignal(text: string): string {
  parseSignal(text);
  return text;
}

function envMap(config: RunConfig): Map<string, string> {
  return new Map((config.Env ?? []).map((entry) => splitPair(entry)));
}

function splitPair(text: string): [string, string] {
  const equals = text.indexOf("=");
  return equals < 0 ? [text, ""] : [text.slice(0, equals), text.slice(equals + 1)];
}

function words(config: RunConfig, rest: string): string[] {
  return shellWords(rest, envMap(config));
}

/** The exec form as it is, the shell form behind the image's shell. */
function command(config: RunConfig, rest: string): string[] {
  return jsonWords(rest) ?? (rest === "" ? [] : [...(config.Shell ?? ["/bin/sh", "-c"]), rest]);
}

/** `a=b c="d e"`, or the old `a rest of the line`. */
function pairs(config: RunConfig, rest: string, name: string): [string, string][] {
  const [first = ""] = /^\S+/.exec(rest) ?? [];
  if (!first.includes("=")) {
    const value = rest.slice(first.length).trim();
    if (value === "") throw new EngineError("invalid", `${name} must have two arguments`);
    return [[first, words(config, value).join(" ")]];
  }
  return words(config, rest).map((word) => {
    const [key, value] = splitPair(word);
    if (!word.includes("=")) {
      throw new EngineError("invalid", `Syntax error - can't find = in "${word}". Must be of the form: name=value`);
    }
    if (key === "") throw new EngineError("invalid", `${name} names can not be blank`);
    return [key, value];
  });
}

function mergeEnv(env: readonly string[], added: readonly [string, string][]): string[] {
  const merged = new Map(env.map((entry) => splitPair(entry)));
  for (const [key, value] of added) merged.set(key, value);
  return [...merged].map(([key, value]) => `${key}=${value}`);
}

function one(config: RunConfig, rest: string, name: string): string {
  const [value, ...more] = words(config, rest);
  if (value === undefined || more.length > 0) throw new EngineError("invalid", `${name} requires exactly one argument`);
  return value;
}

function ports(specs: readonly string[]): Record<string, Record<string, never>> {
  const exposed: Record<string, Record<string, never>> = {};
  for (const spec of specs) {
    const match = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/i.exec(spec);
    const from = Number(match?.[1]);
    const to = Number(match?.[2] ?? match?.[1]);
    if (match === null || from > to || to > 65535) {
      throw new EngineError("invalid", `invalid containerPort: ${spec}`);
    }
    for (let port = from; port <= to; port++) exposed[`${port}/${match[3]?.toLowerCase() ?? "tcp"}`] = {};
  }
  return exposed;
}

function volumes(config: RunConfig, rest: string): Record<string, Record<string, never>> {
  const paths = jsonWords(rest) ?? words(config, rest);
  if (paths.some((path) => path === ""))
    throw new EngineError("invalid", "VOLUME specified can not be an empty string");
  return Object.fromEntries(paths.map((path) => [path, {}]));
}

function onBuild(rest: string): string {
  const [trigger = ""] = /^\S+/.exec(rest) ?? [];
  if (/^onbuild$/i.test(trigger))
    throw new EngineError("invalid", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (/^(maintainer|from)$/i.test(trigger)) {
    throw new EngineError("invalid", `${trigger.toUpperCase()} isn't allowed as an ONBUILD trigger`);
  }
  return rest;
}

const healthcheckFlags: Readonly<Record<string, Exclude<keyof Healthcheck, "Test">>> = {
  interval: "Interval",
  timeout: "Timeout",
  "start-period": "StartPeriod",
  "start-interval": "StartInterval",
  retries: "Retries",
};

/** Nanoseconds. */
const SHORTEST = 1_000_000;

function healthcheck(rest: string): Healthcheck {
  const settings: { -readonly [K in keyof Healthcheck]: Healthcheck[K] } = {};
  let text = rest;
  for (let flag = /^--([a-z-]+)=(\S+)\s*/.exec(text); flag !== null; flag = /^--([a-z-]+)=(\S+)\s*/.exec(text)) {
    const [whole, name = "", value = ""] = flag;
    const member = Object.hasOwn(healthcheckFlags, name) ? healthcheckFlags[name] : undefined;
    const number = member === "Retries" ? Number(value) : Number(parseDuration(value) ?? NaN);
    if (member === undefined || !Number.isFinite(number)) {
      throw new EngineError("invalid", `HEALTHCHECK: bad flag --${name}=${value}`);
    }
    if (member !== "Retries" && number !== 0 && number < SHORTEST) {
      throw new EngineError("invalid", `Interval "${name}" cannot be less than 1ms`);
    }
    settings[member] = number;
    text = text.slice(whole.length);
  }
  if (/^none$/i.test(text)) return { Test: ["NONE"] };
  const match = /^cmd\s+(.+)$/is.exec(text);
  if (match === null)
    throw new EngineError("invalid", `Unknown type "${text.split(/\s/)[0]?.toUpperCase()}" in HEALTHCHECK (try CMD)`);
  const exec = jsonWords(match[1] ?? "");
  return { ...settings, Test: exec === undefined ? ["CMD-SHELL", match[1] ?? ""] : ["CMD", ...exec] };
}
