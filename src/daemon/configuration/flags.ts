/** The daemon's command line, read and explained by the table of settings. */
import { parseArgs } from "node:util";
import { EngineError, errorMessage } from "#lib/errors.ts";
import type { Setting } from "./setting.ts";
import { type SettingKey, settings } from "./table.ts";

export interface Given {
  /** What the flags say, by the key of the file. */
  readonly values: ReadonlyMap<SettingKey, unknown>;
  /** `--config-file`. */
  readonly file: string | undefined;
  readonly help: boolean;
  /** Only look whether the configuration can be used. */
  readonly validate: boolean;
}

const rows = Object.entries(settings) as [SettingKey, Setting<unknown>][];

/** Throws kind "invalid" in the words of the flag's setting. */
export function readFlags(argv: readonly string[]): Given {
  const words = new Map<SettingKey, string[]>();
  const own = new Map<string, string>();
  for (const { name, raw, value } of tokens(argv)) {
    const row = rows.find(([, { flag, alias }]) => name === flag || name === alias);
    const boolean = row === undefined ? OWN_SWITCHES.has(name) : row[1].label === "";
    if (row === undefined && !OWN_SWITCHES.has(name) && name !== "config-file") {
      throw mistake(raw.startsWith("--") ? `unknown flag: ${raw}` : `unknown shorthand flag: '${raw[1]}' in ${raw}`);
    }
    if (value === undefined && !boolean) throw mistake(`flag needs an argument: ${raw}`);
    if (row === undefined) own.set(name, value ?? "true");
    else words.set(row[0], [...(words.get(row[0]) ?? []), value ?? "true"]);
  }
  const values = new Map<SettingKey, unknown>();
  for (const [key, texts] of words) {
    try {
      values.set(key, settings[key].parse(texts));
    } catch (cause) {
      const { flag, short } = settings[key] as Setting<unknown>;
      const spelled = short === undefined ? `--${flag}` : `-${short}, --${flag}`;
      throw mistake(`invalid argument "${texts.join(",")}" for "${spelled}" flag: ${errorMessage(cause)}`, cause);
    }
  }
  return {
    values,
    file: own.get("config-file"),
    help: own.get("help") === "true",
    validate: own.get("validate") === "true",
  };
}

const OWN_SWITCHES: ReadonlySet<string> = new Set(["help", "validate"]);

interface Token {
  /** Without dashes, a short one as its long form. */
  readonly name: string;
  readonly raw: string;
  readonly value: string | undefined;
}

function tokens(argv: readonly string[]): Token[] {
  const flags = rows.flatMap(([, { flag, short, alias, label }]) =>
    [flag, alias].flatMap((name) =>
      name === undefined ? [] : [{ name, short: name === flag ? short : undefined, label }],
    ),
  );
  const options = Object.fromEntries([
    ...flags.map(({ name, short, label }) => [
      name,
      { type: label === "" ? ("boolean" as const) : ("string" as const), ...(short !== undefined && { short }) },
    ]),
    ["config-file", { type: "string" as const }],
    ["help", { type: "boolean" as const, short: "h" }],
    ["validate", { type: "boolean" as const }],
  ]) as Record<string, { type: "boolean" | "string"; short?: string }>;
  const parsed = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true });
  return parsed.tokens.map((token) => {
    if (token.kind === "option") return { name: token.name, raw: token.rawName, value: token.value };
    const word = token.kind === "positional" ? token.value : "--";
    throw mistake(`it accepts no arguments: ${word}`);
  });
}

function mistake(message: string, cause?: unknown): EngineError {
  return new EngineError("invalid", `${message}\nSee 'berth daemon --help'.`, { cause });
}

/** What `--help` prints. */
export function describeFlags(): string {
  const shown = [
    ...rows.flatMap(([, { flag, short, label, about }]) =>
      flag === undefined || about === "" ? [] : [{ flag, short, label, about }],
    ),
    {
      flag: "config-file",
      short: undefined,
      label: "file",
      about: 'JSON file with the same settings (default "/etc/berth/daemon.json")',
    },
    { flag: "validate", short: undefined, label: "", about: "Check the configuration and exit" },
  ].toSorted((a, b) => (a.flag < b.flag ? -1 : 1));
  const heads = shown.map(
    ({ flag, short, label }) =>
      `  ${short === undefined ? "   " : `-${short},`} --${flag}${label === "" ? "" : ` ${label}`}`,
  );
  const width = Math.max(...heads.map((head) => head.length));
  return shown.map(({ about }, at) => `${heads[at]?.padEnd(width)}   ${about}\n`).join("");
}
