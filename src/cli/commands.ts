/** Every verb with its spellings and summary, so that finding one or listing all loads none of them. */
import type { Verb } from "./command.ts";
import { containerVerbs } from "./container/verbs.ts";
import { contextVerbs } from "./context/verbs.ts";
import { imageVerbs } from "./image/verbs.ts";
import { networkVerbs } from "./network/verbs.ts";
import { systemVerbs } from "./system/verbs.ts";
import { volumeVerbs } from "./volume/verbs.ts";

export interface Entry {
  /** Space-separated words; the first spelling with two words names it in its group. */
  readonly spellings: readonly string[];
  readonly summary: string;
  /** Position among the "Common Commands" of the top-level help. */
  readonly common?: number;
  readonly hidden?: boolean;
  load(): Promise<{ readonly verb: Verb }>;
}

/** Groups of verbs ("Management Commands"). */
export const groups: Readonly<Record<string, string>> = {
  container: "Manage containers",
  context: "Manage contexts",
  image: "Manage images",
  network: "Manage networks",
  system: "Manage Berth",
  volume: "Manage volumes",
};

/** Docker's verbs that this version does not have: refused by name rather than as unknown. */
export const absent: readonly string[] = [
  "build",
  "builder",
  "buildx",
  "checkpoint",
  "compose",
  "config",
  "image build",
  "login",
  "logout",
  "manifest",
  "node",
  "plugin",
  "search",
  "secret",
  "service",
  "stack",
  "swarm",
  "trust",
];

export const entries: readonly Entry[] = [
  ...containerVerbs,
  ...contextVerbs,
  ...imageVerbs,
  ...networkVerbs,
  ...volumeVerbs,
  ...systemVerbs,
];

/** A verb as it was called. */
export interface Found {
  readonly entry: Entry;
  /** The words that named it, an alias in its group replaced by the first name: `container ls`. */
  readonly name: string;
  readonly rest: string[];
}

/** Finds the verb at the head of `argv`; undefined when its words name none. */
export function findVerb(argv: readonly string[]): Found | undefined {
  const [first = "", second = ""] = argv;
  const words = Object.hasOwn(groups, first) ? `${first} ${second}` : first;
  for (const entry of entries) {
    if (!entry.spellings.includes(words)) continue;
    const grouped = words.includes(" ");
    const name = grouped ? (entry.spellings[0] ?? words) : words;
    return { entry, name, rest: argv.slice(grouped ? 2 : 1) };
  }
  return undefined;
}
