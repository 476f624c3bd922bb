/** The command line from its words to its exit code. */
import { errorMessage } from "#lib/errors.ts";
import type { Verb } from "./command.ts";
import { absent, findVerb, groups, type Entry } from "./commands.ts";
import { ExitError } from "./errors.ts";
import { FlagError, HelpRequest, parseFlags, type FlagTable, type Parsed } from "./flags.ts";
import { globalFlags, logLevels } from "./globals.ts";
import { Session } from "./session.ts";

/**
 * Runs one command line (without the program's name) and resolves with its exit code; all messages
 * have been written by then. Never rejects.
 */
export async function runCli(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  try {
    const globals = parseOrExplain(globalFlags, argv, "berth", "berth [OPTIONS] COMMAND [ARG...]", false);
    if (globals === "help" || (globals.args.length === 0 && !globals.flags.version))
      return await help([], globals === "help" ? 1 : 2);
    const level = globals.flags["log-level"];
    if (!logLevels.includes(level)) throw new ExitError(1, `Unable to parse logging level: ${level}`);
    return await dispatch(new Session(globals.flags, env), globals.args, globals.flags.version);
  } catch (error) {
    return report(error);
  }
}

async function dispatch(session: Session, argv: string[], version: boolean): Promise<number> {
  if (version) {
    const { programCommit, programVersion } = await import("#lib/build.ts");
    session.out.line(`Berth version ${programVersion}, build ${programCommit}`);
    return 0;
  }
  const [first = "", second] = argv;
  if (first === "help") return help(argv.slice(1), 1);
  if (first === "__complete") return complete(session, argv.slice(1));
  const found = findVerb(argv);
  if (!found) {
    if (Object.hasOwn(groups, first)) {
      if (second === undefined) return help([first], 2);
      if (second === "--help" || second === "-h") return help([first], 1);
      if (!second.startsWith("-")) throw unknownIn(first, second);
      throw flagMistake(
        second.startsWith("--") ? `unknown flag: ${second}` : `unknown shorthand flag: '${second[1]}' in ${second}`,
        `berth ${first}`,
        `berth ${first}`,
      );
    }
    if (absent.includes(first)) throw new ExitError(1, `berth: "${first}" is not available yet`);
    throw new ExitError(1, `berth: unknown command: berth ${first}\n\nRun 'berth --help' for more information`);
  }
  const { entry, name, rest } = found;
  const { verb } = await entry.load();
  return runVerb(session, entry, name, verb, rest);
}

async function runVerb(session: Session, entry: Entry, name: string, verb: Verb, argv: string[]): Promise<number> {
  const path = `berth ${name}`;
  const line = `${path} ${verb.use}`.trimEnd();
  const parsed = parseOrExplain(verb.flags, argv, path, line, verb.interspersed ?? true);
  if (parsed === "help") {
    const { verbHelp } = await import("./help.ts");
    session.out.write(verbHelp(name, entry, verb, session.width));
    return 0;
  }
  checkCount(parsed.args.length, verb.args, path, line);
  return (await verb.run(session, parsed)) ?? 0;
}

/** For the completion scripts: `__complete -- WORD...`, the last word being the unfinished one. */
async function complete(session: Session, argv: readonly string[]): Promise<number> {
  const { candidates } = await import("./completing.ts");
  for (const { word, about } of await candidates(argv.slice(1), session.env)) {
    // The first line says enough; more of it would be a further candidate.
    session.out.line(about === undefined ? word : `${word}\t${about.split("\n", 1)[0]}`);
  }
  return 0;
}

async function help(words: readonly string[], fd: 1 | 2): Promise<number> {
  const { rootHelp, groupHelp, verbHelp } = await import("./help.ts");
  const session = new Session({}, {});
  const out = fd === 1 ? session.out : session.err;
  const [first, second] = words;
  if (first === undefined) out.write(rootHelp(session.width));
  else if (Object.hasOwn(groups, first) && second === undefined) out.write(groupHelp(first));
  else {
    const found = findVerb(words);
    if (!found || found.rest.length > 0) throw new ExitError(1, `unknown help topic: ${words.join(" ")}`);
    const { verb } = await found.entry.load();
    out.write(verbHelp(found.name, found.entry, verb, session.width));
  }
  return 0;
}

function parseOrExplain<F extends FlagTable>(
  table: F,
  argv: readonly string[],
  path: string,
  line: string,
  interspersed: boolean,
): Parsed<F> | "help" {
  try {
    return parseFlags(table, argv, interspersed);
  } catch (error) {
    if (error instanceof HelpRequest) return "help";
    if (error instanceof FlagError) throw flagMistake(error.message, path, line);
    throw error;
  }
}

function flagMistake(message: string, path: string, line: string): ExitError {
  return new ExitError(125, `${message}\n\nUsage:  ${line}\n\nRun '${path} --help' for more information`);
}

function unknownIn(group: string, word: string): ExitError {
  if (absent.includes(`${group} ${word}`)) return new ExitError(1, `berth: "${group} ${word}" is not available yet`);
  return new ExitError(
    1,
    `berth: unknown command: berth ${group} ${word}\n\nUsage:  berth ${group}\n\nRun 'berth ${group} --help' for more information`,
  );
}

function checkCount(count: number, { min, max }: Verb["args"], path: string, line: string): void {
  if (count >= min && (max === undefined || count <= max)) return;
  const arguments_ = (n: number) => `${n} argument${n === 1 ? "" : "s"}`;
  // Only this one of Docker's messages says "See" where the others say "Run".
  let word = "Run";
  let need: string;
  if (max === 0) need = "accepts no arguments";
  else if (max === undefined) {
    need = `requires at least ${arguments_(min)}`;
    word = "See";
  } else if (min === max) need = `requires ${arguments_(min)}`;
  else if (min === 0) need = `requires at most ${arguments_(max)}`;
  else need = `requires at least ${min} and at most ${arguments_(max)}`;
  throw new ExitError(
    1,
    `berth: '${path}' ${need}\n\nUsage:  ${line}\n\n${word} '${path} --help' for more information`,
  );
}

function report(error: unknown): number {
  const code = error instanceof ExitError ? error.code : 1;
  // The reader of our output has gone: nothing is left to tell anyone.
  if ((error as NodeJS.ErrnoException | null)?.code === "EPIPE") return 141;
  const message = errorMessage(error);
  if (message !== "") new Session({}, {}).err.line(message);
  return code;
}
