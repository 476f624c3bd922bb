/** Works out what may come next on a command line. */
import type { Verb } from "./command.ts";
import { entries, findVerb, groups } from "./commands.ts";
import { ContextStore, defaultContext } from "./context/store.ts";
import type { Completion, Flag, FlagTable } from "./flags.ts";
import { globalFlags } from "./globals.ts";
import { known } from "./known.ts";
import { parseFlags } from "./flags.ts";
import { Session } from "./session.ts";

export interface Candidate {
  /** The whole word; `:files` and `:nospace` are for the shell. */
  readonly word: string;
  readonly about?: string;
}

/** Where a walk over the words has come to. */
interface Place {
  /** The flag whose value the last word is. */
  readonly flag: Flag<unknown> | undefined;
  /** Positional arguments before the last word. */
  readonly args: number;
  /** No flag can follow. */
  readonly closed: boolean;
  /** Index of the first positional argument, the number of words where there is none. */
  readonly first: number;
}

/** Candidates for the last of `words`, which stand after the program's name. Never rejects for what is mistyped. */
export async function candidates(words: readonly string[], env: NodeJS.ProcessEnv): Promise<Candidate[]> {
  const current = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  const globals = walk(globalFlags, before, false);
  const session = () => new Session(parseFlags(globalFlags, before.slice(0, globals.first), false).flags, env);
  const all = await unfiltered(before, current, globals, session);
  return all.filter(({ word }) => word.startsWith(current) || word.startsWith(":"));
}

async function unfiltered(
  before: readonly string[],
  current: string,
  globals: Place,
  session: () => Session,
): Promise<Candidate[]> {
  if (globals.first === before.length) return wordOrFlag(globalFlags, globals, current, session, topLevel);
  const line = before.slice(globals.first);
  const help = line[0] === "help";
  const words = help ? line.slice(1) : line;
  if (words.length === 0) return topLevel();
  if (words.length === 1 && Object.hasOwn(groups, words[0] ?? "")) return inGroup(words[0] ?? "");
  const found = findVerb(words);
  if (help || !found) return [];
  const { verb } = await found.entry.load();
  const place = walk(verb.flags, found.rest, verb.interspersed ?? true);
  return wordOrFlag(verb.flags, place, current, session, () => argument(verb, place.args, current, session));
}

/** Follows the parser's rules over `words`, all of which stand before the one to complete. */
function walk(table: FlagTable, words: readonly string[], interspersed: boolean): Place {
  let args = 0;
  let first = words.length;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (word === "--")
      return { flag: undefined, args: args + words.length - at - 1, closed: true, first: Math.min(first, at + 1) };
    if (!word.startsWith("-") || word === "-") {
      first = Math.min(first, at);
      if (!interspersed) return { flag: undefined, args: words.length - at, closed: true, first };
      args++;
      continue;
    }
    const flag = awaitingValue(table, word);
    if (flag === undefined) continue;
    if (at === words.length - 1) return { flag, args, closed: false, first };
    at++;
  }
  return { flag: undefined, args, closed: false, first };
}

/** The flag that takes the next word as its value. */
function awaitingValue(table: FlagTable, word: string): Flag<unknown> | undefined {
  if (word.startsWith("--")) {
    const flag = Object.hasOwn(table, word.slice(2)) ? table[word.slice(2)] : undefined;
    return flag?.bare === undefined ? flag : undefined;
  }
  for (let at = 1; at < word.length; at++) {
    const flag = Object.values(table).find(({ short }) => short === word[at]);
    if (flag === undefined) return undefined;
    if (flag.bare === undefined) return at === word.length - 1 ? flag : undefined;
  }
  return undefined;
}

async function wordOrFlag(
  table: FlagTable,
  place: Place,
  current: string,
  session: () => Session,
  word: () => Candidate[] | Promise<Candidate[]>,
): Promise<Candidate[]> {
  if (place.flag) return values(place.flag.complete, current, session);
  if (place.closed || !current.startsWith("-")) return word();
  const [, head = "", name = ""] = /^(--([^=]+)=)/.exec(current) ?? [];
  const flag = Object.hasOwn(table, name) ? table[name] : undefined;
  if (flag) {
    const all = await values(flag.complete, current.slice(head.length), session);
    return all.map((candidate) =>
      candidate.word.startsWith(":") ? candidate : { ...candidate, word: head + candidate.word },
    );
  }
  return flags(table, current.startsWith("--"));
}

function flags(table: FlagTable, long: boolean): Candidate[] {
  return Object.entries(table)
    .filter(([, { hidden }]) => !hidden)
    .flatMap(([name, { short, usage }]) => [
      ...(short === undefined || long ? [] : [{ word: `-${short}`, about: usage }]),
      { word: `--${name}`, about: usage },
    ])
    .concat(Object.hasOwn(table, "help") ? [] : { word: "--help", about: "Print usage" })
    .toSorted((a, b) => (a.word < b.word ? -1 : 1));
}

function topLevel(): Candidate[] {
  const verbs = entries.flatMap(({ spellings, summary, hidden }) =>
    hidden ? [] : spellings.filter((spelling) => !spelling.includes(" ")).map((word) => ({ word, about: summary })),
  );
  return [
    ...verbs,
    ...Object.entries(groups).map(([word, about]) => ({ word, about })),
    { word: "daemon", about: "Run the Berth daemon" },
    { word: "help", about: "Help about the command" },
  ].toSorted((a, b) => (a.word < b.word ? -1 : 1));
}

function inGroup(group: string): Candidate[] {
  return entries
    .flatMap(({ spellings, summary }) => {
      const name = spellings[0] ?? "";
      return name.startsWith(`${group} `) ? [{ word: name.slice(group.length + 1), about: summary }] : [];
    })
    .toSorted((a, b) => (a.word < b.word ? -1 : 1));
}

function argument(verb: Verb, at: number, current: string, session: () => Session): Promise<Candidate[]> {
  if (verb.args.max !== undefined && at >= verb.args.max) return Promise.resolve([]);
  const kinds = verb.complete ?? [];
  return values(kinds[Math.min(at, kinds.length - 1)], current, session);
}

function contextNames({ folder }: Session): Candidate[] {
  const others = new ContextStore(folder).list();
  return [defaultContext, ...others.map(({ Name }) => Name)].map((word) => ({ word }));
}

async function values(kind: Completion | undefined, current: string, session: () => Session): Promise<Candidate[]> {
  if (kind === undefined) return [];
  if (kind === "files") return [{ word: ":files" }];
  if (kind === "contexts") return contextNames(session());
  if (typeof kind !== "string") return kind.map((word) => ({ word }));
  // A volume may as well be a folder of ours.
  if (kind === "volumes" && /^[./~]/.test(current)) return [{ word: ":files" }];
  try {
    return await known(session().daemon, kind);
  } catch {
    // Without a daemon there is nothing to propose.
    return [];
  }
}
