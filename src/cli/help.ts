/** Help in the layout of Docker 28, made from the tables that the parser reads. */
import type { Verb } from "./command.ts";
import { entries, groups, type Entry } from "./commands.ts";
import type { Flag, FlagTable } from "./flags.ts";
import { globalFlags } from "./globals.ts";

/** `berth run [OPTIONS] IMAGE [COMMAND] [ARG...]`. */
function useLine(name: string, verb: Verb): string {
  return `berth ${name} ${verb.use}`.trimEnd();
}

/** The help of one verb, called `name`; `width` is the terminal's in columns. */
export function verbHelp(name: string, entry: Entry, verb: Verb, width: number): string {
  let text = `Usage:  ${useLine(name, verb)}\n\n${verb.details ?? entry.summary}\n`;
  if (entry.spellings.length > 1) {
    text += `\nAliases:\n  ${entry.spellings.map((spelling) => `berth ${spelling}`).join(", ")}\n`;
  }
  const flags = flagLines(verb.flags, width - 1);
  return flags ? `${text}\nOptions:\n${flags}` : text;
}

/** The help of a group such as `container`. */
export function groupHelp(group: string): string {
  const verbs = entries
    .filter((entry) => entry.spellings[0]?.startsWith(`${group} `) && !entry.hidden)
    .map((entry): Row => [entry.spellings[0]?.slice(group.length + 1) ?? "", entry.summary])
    .toSorted((a, b) => (a[0] < b[0] ? -1 : 1));
  return (
    `Usage:  berth ${group} COMMAND\n\n${groups[group]}\n\nCommands:\n${rows(verbs)}\n` +
    `Run 'berth ${group} COMMAND --help' for more information on a command.\n`
  );
}

/** The help of `berth` itself. */
export function rootHelp(width: number): string {
  const single = entries.flatMap((entry) => {
    const name = entry.spellings.find((spelling) => !spelling.includes(" "));
    return name === undefined || entry.hidden ? [] : [{ name, entry }];
  });
  const common = single
    .filter(({ entry }) => entry.common !== undefined)
    .toSorted((a, b) => (a.entry.common ?? 0) - (b.entry.common ?? 0));
  const others = single
    .filter(({ entry }) => entry.common === undefined)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const row = ({ name, entry }: (typeof single)[number]): Row => [name, entry.summary];
  return (
    `Usage:  berth [OPTIONS] COMMAND\n\nA container platform in one file\n\n` +
    `Common Commands:\n${rows(common.map(row))}\n` +
    `Management Commands:\n${rows(Object.entries(groups))}\n` +
    `Commands:\n${rows([...others.map(row), ["daemon", "Run the Berth daemon"] satisfies Row])}\n` +
    `Global Options:\n${flagLines(globalFlags, width - 1)}\n` +
    `Run 'berth COMMAND --help' for more information on a command.\n`
  );
}

type Row = readonly [name: string, summary: string];

function rows(items: readonly Row[]): string {
  return items.map(([name, summary]) => `  ${name.padEnd(11)} ${summary}\n`).join("");
}

/** The lines under "Options", in the order and alignment of pflag's FlagUsagesWrapped. */
function flagLines(table: FlagTable, width: number): string {
  const shown = Object.entries(table)
    .filter(([, flag]) => !flag.hidden)
    .toSorted((a, b) => (a[0] < b[0] ? -1 : 1));
  const heads = shown.map(([name, flag]) => flagHead(name, flag));
  const column = Math.max(0, ...heads.map((head) => head.length));
  return shown
    .map(([, flag], at) => {
      const usage = flag.usage + (flag.shown === undefined ? "" : ` (default ${flag.shown})`);
      return `${(heads[at] ?? "").padEnd(column)}   ${wrap(usage, column + 3, width)}\n`;
    })
    .join("");
}

function flagHead(name: string, flag: Flag<unknown>): string {
  const head = flag.short ? `  -${flag.short}, --${name}` : `      --${name}`;
  return flag.label ? `${head} ${flag.label}` : head;
}

/** Wraps at word ends to `width`, further lines indented; the last line may overrun by a short word. */
function wrap(text: string, indent: number, width: number): string {
  const slop = 5;
  const margin = `\n${" ".repeat(indent)}`;
  const room = width - indent - slop;
  if (room < 24 - slop) return text.replaceAll("\n", margin);
  const lines: string[] = [];
  for (let rest = text; rest !== "";) {
    const [line, left] = firstLine(rest, room, slop);
    lines.push(line.replaceAll("\n", margin));
    rest = left;
  }
  return lines.join(margin);
}

function firstLine(text: string, room: number, slop: number): [line: string, rest: string] {
  if (room + slop > text.length) return [text, ""];
  const head = text.slice(0, room);
  const space = Math.max(head.lastIndexOf(" "), head.lastIndexOf("\t"), head.lastIndexOf("\n"));
  if (space <= 0) return [text, ""];
  const newline = head.lastIndexOf("\n");
  const cut = newline > 0 && newline < space ? newline : space;
  return [text.slice(0, cut), text.slice(cut + 1)];
}
