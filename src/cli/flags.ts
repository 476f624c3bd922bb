/** Reads command lines the way spf13/pflag does, so that every spelling Docker accepts means the same here. */
import { quote } from "./go.ts";

/**
 * One flag of a verb: how its text becomes a value, and what help and completion say about it.
 * `set` gets the value so far (`fresh` while only the default is there) and throws an Error whose
 * message completes `invalid argument "x" for "--flag" flag: …`.
 */
export interface Flag<T> {
  /** The type's name in help; empty for a flag that is only switched. */
  readonly label: string;
  readonly usage: string;
  readonly initial: T;
  set(current: T, text: string, fresh: boolean): T;
  readonly short?: string;
  /** What stands for the value when none follows; without it the next argument is the value. */
  readonly bare?: string;
  /** The default as help shows it; absent for a zero value. */
  readonly shown?: string;
  readonly hidden?: boolean;
  /** What the shell may propose as a value. */
  readonly complete?: Completion;
}

/** Values that the shell proposes: fixed words, files, or names that the daemon knows. */
export type Completion =
  readonly string[] | "files" | "containers" | "running" | "stopped" | "images" | "networks" | "volumes" | "contexts";

export type FlagTable = Readonly<Record<string, Flag<unknown>>>;

export type Values<F extends FlagTable> = { [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

export interface Parsed<F extends FlagTable> {
  readonly flags: Values<F>;
  readonly args: string[];
  /** Names of the flags that were given. */
  readonly changed: ReadonlySet<string>;
}

/** A command line that cannot be read; the message is pflag's. */
export class FlagError extends Error {}

/** Not an error: `--help` (or `-h`, where the verb has no `-h` of its own) was found. */
export class HelpRequest extends Error {}

/**
 * Reads `argv` by `table`. Flags are recognised anywhere up to `--`, or, with `interspersed` off,
 * up to the first positional argument (`run`, `exec`: what follows belongs to the container).
 * Throws FlagError or HelpRequest.
 */
export function parseFlags<F extends FlagTable>(table: F, argv: readonly string[], interspersed = true): Parsed<F> {
  const values: Record<string, unknown> = {};
  for (const [name, flag] of Object.entries(table)) values[name] = flag.initial;
  const shorts = new Map<string, string>();
  for (const [name, flag] of Object.entries(table)) if (flag.short) shorts.set(flag.short, name);
  const changed = new Set<string>();
  const args: string[] = [];

  const assign = (name: string, flag: Flag<unknown>, text: string) => {
    try {
      values[name] = flag.set(values[name], text, !changed.has(name));
    } catch (error) {
      const spelled = flag.short ? `-${flag.short}, --${name}` : `--${name}`;
      const cause = error instanceof Error ? error.message : String(error);
      throw new FlagError(`invalid argument ${quote(text)} for ${quote(spelled)} flag: ${cause}`);
    }
    changed.add(name);
  };

  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? "";
    if (word === "--") {
      args.push(...argv.slice(at + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      if (!interspersed) {
        args.push(...argv.slice(at));
        break;
      }
      args.push(word);
      continue;
    }
    if (word.startsWith("--")) at += long(word, argv[at + 1]);
    else at += cluster(word.slice(1), argv[at + 1]);
  }
  return { flags: values as Values<F>, args, changed };

  /** Both return how many further arguments they used. */
  function long(word: string, next: string | undefined): number {
    const cut = word.indexOf("=");
    const name = cut < 0 ? word.slice(2) : word.slice(2, cut);
    if (name === "" || name.startsWith("-")) throw new FlagError(`bad flag syntax: ${word}`);
    if (name === "help") throw new HelpRequest();
    const flag = Object.hasOwn(table, name) ? table[name] : undefined;
    if (!flag) {
      throw new FlagError(`unknown flag: --${name}`);
    }
    if (cut >= 0) assign(name, flag, word.slice(cut + 1));
    else if (flag.bare !== undefined) assign(name, flag, flag.bare);
    else if (next !== undefined) {
      assign(name, flag, next);
      return 1;
    } else throw new FlagError(`flag needs an argument: --${name}`);
    return 0;
  }

  function cluster(letters: string, next: string | undefined): number {
    for (let rest = letters; rest !== ""; rest = rest.slice(1)) {
      const letter = rest[0] ?? "";
      const name = shorts.get(letter);
      const flag = name === undefined ? undefined : table[name];
      if (name === undefined || !flag) {
        if (letter === "h") throw new HelpRequest();
        throw new FlagError(`unknown shorthand flag: '${letter}' in -${rest}`);
      }
      if (rest.length > 2 && rest[1] === "=") {
        assign(name, flag, rest.slice(2));
        return 0;
      }
      if (flag.bare !== undefined) {
        assign(name, flag, flag.bare);
        continue;
      }
      if (rest.length > 1) {
        assign(name, flag, rest.slice(1));
        return 0;
      }
      if (next === undefined) throw new FlagError(`flag needs an argument: '${letter}' in -${rest}`);
      assign(name, flag, next);
      return 1;
    }
    return 0;
  }
}
