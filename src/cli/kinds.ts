/** The kinds of value that flags take: what the type is called in help, its default, and how text is checked. */
import { formatDuration } from "#lib/duration.ts";
import { parseBool, parseDuration, parseInteger, quote } from "./go.ts";
import type { Completion, Flag } from "./flags.ts";

/** What every kind accepts beside its default. */
export interface FlagOptions {
  short?: string;
  hidden?: boolean;
  complete?: Completion;
}

export function bool(
  usage: string,
  { initial = false, ...rest }: FlagOptions & { initial?: boolean } = {},
): Flag<boolean> {
  return {
    label: "",
    usage,
    initial,
    bare: "true",
    set: (_current, text) => parseBool(text),
    ...(initial ? { shown: "true" } : {}),
    ...rest,
  };
}

/** Text; `label` renames the type in help, `check` throws for what is not allowed. */
export function string(
  usage: string,
  {
    initial = "",
    label = "string",
    check,
    ...rest
  }: FlagOptions & { initial?: string; label?: string; check?: (text: string) => void } = {},
): Flag<string> {
  return {
    label,
    usage,
    initial,
    set: (_current, text) => {
      check?.(text);
      return text;
    },
    ...(initial ? { shown: quote(initial) } : {}),
    ...rest,
  };
}

export interface IntOptions extends FlagOptions {
  initial?: number;
  /** Go's type: it names the flag's type in help and bounds the value. */
  type?: "int" | "uint" | "uint16";
}

export function int(usage: string, { initial = 0, type = "int", ...rest }: IntOptions = {}): Flag<number> {
  const range = { bits: type === "uint16" ? 16 : 64, signed: type === "int" };
  return {
    label: type,
    usage,
    initial,
    set: (_current, text) => parseInteger(text, range),
    ...(initial ? { shown: String(initial) } : {}),
    ...rest,
  };
}

/** Nanoseconds, written `1m30s`. */
export function duration(usage: string, rest: FlagOptions = {}): Flag<number> {
  return {
    label: "duration",
    usage,
    initial: 0,
    set: (_current, text) => parseDuration(text),
    shown: formatDuration(0),
    ...rest,
  };
}

/**
 * May be given several times. `item` turns each text into a value and throws for what is not allowed;
 * `comma` splits one text into several (pflag's stringSlice, called `strings` in help).
 */
export function list(
  usage: string,
  options?: FlagOptions & { label?: string; check?: (text: string) => string; comma?: boolean },
): Flag<readonly string[]> {
  const { label, check, comma, ...rest } = options ?? {};
  return {
    label: label ?? (comma ? "strings" : "list"),
    usage,
    initial: [],
    set: (current, text) => [...current, ...(comma ? splitCsv(text) : [text]).map((item) => check?.(item) ?? item)],
    ...rest,
  };
}

/** `key=value`, several times; a key without `=` gets an empty value. The last one of a key wins. */
export function map(
  usage: string,
  options?: FlagOptions & { check?: (text: string) => void },
): Flag<Readonly<Record<string, string>>> {
  const { check, ...rest } = options ?? {};
  return {
    label: "map",
    usage,
    initial: {},
    shown: "map[]",
    set: (current, text) => {
      check?.(text);
      const cut = text.indexOf("=");
      return { ...current, [cut < 0 ? text : text.slice(0, cut)]: cut < 0 ? "" : text.slice(cut + 1) };
    },
    ...rest,
  };
}

/** Filters as the API takes them: each key with its values. Keys are lower case, values trimmed. */
export function filters(usage: string, options?: FlagOptions): Flag<Readonly<Record<string, readonly string[]>>> {
  return {
    label: "filter",
    usage,
    initial: {},
    set: (current, text) => {
      if (text === "") return current;
      const cut = text.indexOf("=");
      if (cut < 0) throw new Error("bad format of filter (expected name=value)");
      const key = text.slice(0, cut).trim().toLowerCase();
      const value = text.slice(cut + 1).trim();
      return { ...current, [key]: [...(current[key] ?? []), value] };
    },
    ...options,
  };
}

/** Collects items of any shape, each parsed from one text. */
export function collect<T>(
  label: string,
  usage: string,
  item: (text: string) => T,
  options?: FlagOptions & { shown?: string },
): Flag<readonly T[]> {
  return { label, usage, initial: [], set: (current, text) => [...current, item(text)], ...options };
}

/** A value of any shape, parsed from one text. */
export function value<T>(
  label: string,
  usage: string,
  initial: T,
  parse: (text: string) => T,
  options?: FlagOptions & { shown?: string },
): Flag<T> {
  return { label, usage, initial, set: (_current, text) => parse(text), ...options };
}

/** One record of encoding/csv: commas separate, double quotes enclose, two of them are one. Throws Go's words. */
export function splitCsv(text: string): string[] {
  const fields: string[] = [];
  for (let at = 0; at <= text.length; at++) {
    if (text[at] === '"') {
      let field = "";
      for (at++; ; at++) {
        if (at >= text.length)
          throw new Error(`parse error on line 1, column ${at + 1}: extraneous or missing " in quoted-field`);
        if (text[at] !== '"') field += text[at];
        else if (text[at + 1] === '"') field += text[at++];
        else break;
      }
      if (++at < text.length && text[at] !== ",") {
        throw new Error(`parse error on line 1, column ${at}: extraneous or missing " in quoted-field`);
      }
      fields.push(field);
      continue;
    }
    const end = text.indexOf(",", at);
    const field = text.slice(at, end < 0 ? text.length : end);
    const stray = field.indexOf('"');
    if (stray >= 0) throw new Error(`parse error on line 1, column ${at + stray + 1}: bare " in non-quoted field`);
    fields.push(field);
    at += field.length;
  }
  return fields;
}
