/** The kinds of the daemon's settings: how a flag's words and a configuration file's value become one of each. */
import { z, type ZodType } from "zod";
import { EngineError } from "#lib/errors.ts";

export interface Setting<T> {
  /** Without dashes. Undefined: only the file knows it. */
  readonly flag: string | undefined;
  readonly short?: string;
  /** A flag of the same meaning, not shown. */
  readonly alias?: string;
  /** Type in the help; empty for a switch. */
  readonly label: string;
  /** Empty: not shown in the help. */
  readonly about: string;
  /** Where nothing was said. */
  readonly initial: T;
  /** A changed file takes effect on SIGHUP. */
  readonly live: boolean;
  /** All words that the flag was given. Throws an Error that says what is wrong with them. */
  parse(words: readonly string[]): T;
  /** Of the file's value; its issues say what is wrong. */
  readonly schema: ZodType<T>;
}

/** The values of a table of settings, by their keys in the configuration file. */
export type Values<S extends Readonly<Record<string, Setting<unknown>>>> = {
  -readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never;
};

export interface Naming {
  readonly flag?: string;
  readonly short?: string;
  readonly alias?: string;
  readonly live?: boolean;
  readonly label?: string;
}

function make<T>(
  label: string,
  about: string,
  initial: T,
  naming: Naming,
  schema: ZodType<T>,
  parse: (words: readonly string[]) => T,
): Setting<T> {
  const { live = false, flag, short, alias } = naming;
  return {
    flag,
    label: naming.label ?? label,
    about,
    initial,
    live,
    parse,
    schema,
    ...(short !== undefined && { short }),
    ...(alias !== undefined && { alias }),
  };
}

/** A value read from one text, which the file holds too. */
export function parsed<T>(about: string, initial: T, naming: Naming, read: (text: string) => T): Setting<T> {
  const schema = z.union([z.string(), z.number()]).transform((value, context) => {
    try {
      return read(String(value));
    } catch (error) {
      context.addIssue({ code: "custom", message: (error as Error).message });
      return z.NEVER;
    }
  });
  return make("string", about, initial, naming, schema as unknown as ZodType<T>, (words) => read(words.at(-1) ?? ""));
}

/** Any text; empty where nothing was said. */
export function text(about: string, naming: Naming): Setting<string> {
  return make("string", about, "", naming, z.string(), (words) => words.at(-1) ?? "");
}

/** An absolute path without slashes at its end; `initial` may be empty. */
export function path(about: string, initial: string, naming: Naming): Setting<string> {
  return parsed(about, initial, naming, (value) => {
    if (value.startsWith("/")) return value.replace(/(?<=.)\/+$/, "");
    throw new Error(`it must be an absolute path: ${value}`);
  });
}

/** One of `words`. */
export function choice<const T extends string>(
  about: string,
  words: readonly T[],
  initial: NoInfer<T>,
  naming: Naming,
): Setting<T> {
  return parsed<T>(about, initial, naming, (value) => {
    const found = words.find((word) => word === value);
    if (found !== undefined) return found;
    throw new Error(`it must be one of ${words.join(", ")}: ${value}`);
  });
}

/** A flag that can be given several times, and a list in the file. `check` throws for an entry that cannot be. */
export function list(about: string, naming: Naming, check: (entry: string) => void = () => {}): Setting<string[]> {
  const schema = z.array(z.string()).superRefine((entries, context) => {
    for (const entry of entries) {
      try {
        check(entry);
      } catch (error) {
        context.addIssue({ code: "custom", message: (error as Error).message });
      }
    }
  });
  return make("list", about, [] as string[], naming, schema, (words) => {
    words.forEach(check);
    return [...words];
  });
}

/** On or off; `--flag` alone is on. */
export function toggle(about: string, initial: boolean, naming: Naming): Setting<boolean> {
  return make("", about, initial, naming, z.boolean(), (words) => boolean(words.at(-1) ?? "true"));
}

/** A whole number from `least` to `most`. */
export function count(about: string, initial: number, least: number, most: number, naming: Naming): Setting<number> {
  const check = (value: number): boolean => Number.isInteger(value) && value >= least && value <= most;
  const what = `it must be a whole number from ${least} to ${most}`;
  return make("int", about, initial, naming, z.number().refine(check, what), (words) => {
    const value = Number(words.at(-1) || Number.NaN);
    if (check(value)) return value;
    throw new Error(what);
  });
}

/** Things with names: an object in the file, `NAME=VALUE` words as flags. */
export function named<T>(
  about: string,
  naming: Naming,
  schema: ZodType<T>,
  read: (name: string, value: string) => T,
): Setting<Readonly<Record<string, T>>> {
  return make("list", about, {}, naming, z.record(z.string(), schema), (words) => {
    const values: Record<string, T> = {};
    for (const word of words) {
      const [, name, value] = /^([^=]+)=(.+)$/.exec(word) ?? [];
      if (name === undefined || value === undefined) throw new Error(`it must be NAME=VALUE: ${word}`);
      if (Object.hasOwn(values, name)) throw new Error(`'${name}' is given twice`);
      values[name] = read(name, value);
    }
    return values;
  });
}

/** A setting of dockerd's that has one value here: `only` is accepted because it is true, all else is refused. */
export function fixed<const T extends string | boolean | readonly string[]>(
  flag: string,
  only: T,
  why: string,
): Setting<T> {
  const same = (value: unknown): boolean => JSON.stringify(value) === JSON.stringify(only);
  const message = `only ${JSON.stringify(only)} is supported: ${why}`;
  const schema = z.unknown().refine(same, message) as unknown as ZodType<T>;
  return make(typeof only === "boolean" ? "" : "string", "", only, { flag }, schema, (words) => {
    const value = typeof only === "boolean" ? boolean(words.at(-1) ?? "") : Array.isArray(only) ? words : words.at(-1);
    if (same(value)) return only;
    throw new Error(message);
  });
}

/** As Go's strconv.ParseBool. */
function boolean(value: string): boolean {
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw new Error("it must be true or false");
}

/** For what several settings say together. */
export function refuseSettings(message: string): never {
  throw new EngineError("invalid", message);
}
