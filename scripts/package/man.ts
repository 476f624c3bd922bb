/** Manual pages in man(7) form, made from the tables that the command line reads its flags from. */
import { entries, groups, type Entry } from "#cli/commands.ts";
import type { Verb } from "#cli/command.ts";
import type { FlagTable } from "#cli/flags.ts";
import { globalFlags } from "#cli/globals.ts";

export interface ManualPage {
  /** `berth-run.1`. */
  readonly file: string;
  /** roff source. */
  readonly text: string;
}

export interface ManualOptions {
  version: string;
  /** `2026-01-31`. */
  date: string;
  /** What `berth daemon --help` prints. */
  daemonUsage: string;
}

/** Pages of the program, of each group and of each verb; further spellings of a verb refer to its page. */
export async function manualPages(options: ManualOptions): Promise<ManualPage[]> {
  const shown = entries.filter(({ hidden }) => hidden !== true);
  const verbs = await Promise.all(shown.map((entry) => verbPages(entry, options)));
  return [
    rootPage(shown, options),
    ...Object.keys(groups).map((group) => groupPage(group, shown, options)),
    ...verbs.flat(),
    daemonPage(options),
  ];
}

function rootPage(shown: readonly Entry[], options: ManualOptions): ManualPage {
  const single = shown.flatMap(({ spellings, summary }) => {
    const name = spellings.find((spelling) => !spelling.includes(" "));
    return name === undefined ? [] : [[name, summary] as const];
  });
  const text = page("berth", 1, "a container platform in one file", options, [
    section("SYNOPSIS", `.B berth\n${synopsis("[OPTIONS] COMMAND [ARG...]")}`),
    section(
      "DESCRIPTION",
      "Berth runs containers, keeps images and answers the Docker Engine API.\n" +
        "Its commands are those of the docker program; its daemon is started by\n.BR berth-daemon (8).",
    ),
    section("OPTIONS", flags(globalFlags)),
    section("MANAGEMENT COMMANDS", Object.entries(groups).map(commandRow).join("")),
    section("COMMANDS", single.toSorted(byName).map(commandRow).join("")),
    section(
      "ENVIRONMENT",
      [
        item(bold("BERTH_HOST"), "Address of the daemon; before DOCKER_HOST, after --host."),
        item(bold("DOCKER_HOST"), "Address of the daemon."),
        item(bold("BERTH_CONFIG"), "Folder of the client's config.json; before DOCKER_CONFIG, after --config."),
      ].join(""),
    ),
    section(
      "FILES",
      [
        item(italic("/run/berth/berth.sock"), "Where the daemon listens unless told otherwise."),
        item(italic("~/.config/berth/config.json"), "Settings of the client."),
      ].join(""),
    ),
    seeAlso(["berth-daemon(8)", ...Object.keys(groups).map((group) => `berth-${group}(1)`)]),
  ]);
  return { file: "berth.1", text };
}

function groupPage(group: string, shown: readonly Entry[], options: ManualOptions): ManualPage {
  const verbs = shown
    .filter(({ spellings }) => spellings[0]?.startsWith(`${group} `) === true)
    .map(({ spellings, summary }) => [spellings[0] ?? "", summary] as const)
    .toSorted(byName);
  const text = page(`berth-${group}`, 1, groups[group] ?? "", options, [
    section("SYNOPSIS", `.B berth ${group}\n${synopsis("COMMAND [ARG...]")}`),
    section("COMMANDS", verbs.map(commandRow).join("")),
    seeAlso(["berth(1)"]),
  ]);
  return { file: `berth-${group}.1`, text };
}

async function verbPages(entry: Entry, options: ManualOptions): Promise<ManualPage[]> {
  const { verb } = await entry.load();
  const [name = "", ...others] = entry.spellings.map(pageName);
  const aliases = entry.spellings.slice(1);
  const text = page(name, 1, entry.summary, options, [
    section("SYNOPSIS", `.B berth ${entry.spellings[0] ?? ""}\n${synopsis(verb.use)}`),
    section("DESCRIPTION", description(entry, verb)),
    ...(aliases.length > 0 ? [section("ALIASES", aliases.map((alias) => `.br\nberth ${alias}`).join("\n"))] : []),
    ...(hasFlags(verb.flags) ? [section("OPTIONS", flags(verb.flags))] : []),
    seeAlso(["berth(1)", "berth-daemon(8)"]),
  ]);
  return [
    { file: `${name}.1`, text },
    ...others.map((other) => ({ file: `${other}.1`, text: `.so man1/${name}.1\n` })),
  ];
}

function description(entry: Entry, verb: Verb): string {
  if (verb.details === undefined) return `${escape(entry.summary)}.`;
  return `.nf\n${escape(verb.details)}\n.fi`;
}

function daemonPage(options: ManualOptions): ManualPage {
  const [, head = "", list = ""] = /^[^\n]*\n\n([\s\S]*?)\n\nOptions:\n([\s\S]*)$/.exec(options.daemonUsage) ?? [];
  const rows = list.split("\n").flatMap((line) => {
    const [, names, usage] = /^ {2,}(-.*?) {2,}(\S.*)$/.exec(line) ?? [];
    return names === undefined || usage === undefined ? [] : [item(bold(names), escape(usage))];
  });
  const text = page("berth-daemon", 8, "run the engine", options, [
    section("SYNOPSIS", `.B berth daemon\n${synopsis("[OPTIONS]")}`),
    section(
      "DESCRIPTION",
      `${escape(head)}.\nThe daemon may be stopped, killed and exchanged at any time: containers run on, and the next\n` +
        "daemon takes them over. SIGTERM stops it, SIGHUP makes it read its configuration file again.",
    ),
    section("OPTIONS", rows.join("")),
    section(
      "FILES",
      [
        item(italic("/etc/berth/daemon.json"), "Settings, with the keys of Docker's daemon.json."),
        item(italic("/var/lib/berth"), "Images, containers and volumes."),
        item(italic("/run/berth"), "What a reboot may take: sockets, mounts, state of running containers."),
      ].join(""),
    ),
    seeAlso(["berth(1)"]),
  ]);
  return { file: "berth-daemon.8", text };
}

/** `container ls` has the page berth-container-ls. */
function pageName(spelling: string): string {
  return `berth-${spelling.replaceAll(" ", "-")}`;
}

function page(
  name: string,
  number: number,
  summary: string,
  { version, date }: ManualOptions,
  sections: string[],
): string {
  const title = [name.toUpperCase(), String(number), date, `Berth ${version}`, "Berth"].map((word) => `"${word}"`);
  return `.TH ${title.join(" ")}\n.SH NAME\n${escape(name)} \\- ${escape(summary.replaceAll("\n", " "))}\n${sections.join("")}`;
}

function section(title: string, body: string): string {
  return `.SH "${title}"\n${body.trimEnd()}\n`;
}

function seeAlso(pages: string[]): string {
  return section("SEE ALSO", pages.map((other) => `.BR ${other.replace("(", " (")}`).join(" ,\n"));
}

function synopsis(use: string): string {
  return escape(use);
}

function flags(table: FlagTable): string {
  return Object.entries(table)
    .filter(([, flag]) => flag.hidden !== true)
    .toSorted(byName)
    .map(([name, flag]) => {
      const spelled = flag.short === undefined ? bold(`--${name}`) : `${bold(`-${flag.short}`)}, ${bold(`--${name}`)}`;
      const head = flag.label === "" ? spelled : `${spelled} ${italic(flag.label)}`;
      const usage = flag.usage + (flag.shown === undefined ? "" : ` (default ${flag.shown})`);
      return item(head, escape(usage));
    })
    .join("");
}

function hasFlags(table: FlagTable): boolean {
  return Object.values(table).some(({ hidden }) => hidden !== true);
}

function commandRow([name, summary]: readonly [string, string]): string {
  return item(`${bold(pageName(name))}(1)`, escape(summary));
}

function item(head: string, body: string): string {
  return `.TP\n${head}\n${body}\n`;
}

function bold(text: string): string {
  return `\\fB${escape(text)}\\fR`;
}

function italic(text: string): string {
  return `\\fI${escape(text)}\\fR`;
}

function byName(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : 1;
}

/** Text as roff takes it: no command at a line's start, no hyphen that becomes a dash. */
function escape(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll(/^([.'])/gm, "\\&$1");
}
