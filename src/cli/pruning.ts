/** What the prune verbs share: the question before and the report after. */
import { ExitError } from "./errors.ts";
import { bool, filters, type FlagOptions } from "./kinds.ts";
import type { Session } from "./session.ts";
import { humanSize } from "./units.ts";

export type FilterMap = Readonly<Record<string, readonly string[]>>;

export const pruneFlags = {
  filter: filters('Provide filter values (e.g. "until=<timestamp>")'),
  force: bool("Do not prompt for confirmation", { short: "f" }),
};

/** `--all` of the prune verbs. */
export const allFlag = (usage: string, options: FlagOptions = {}) => bool(usage, { short: "a", ...options });

/** Returns once the user agreed; rejects with ExitError (nothing printed, code 0) for any other answer than y. */
export async function confirm(session: Session, warning: string): Promise<void> {
  session.out.write(`${warning}\nAre you sure you want to continue? [y/N] `);
  let answer = "";
  for await (const chunk of Bun.stdin.stream()) {
    answer += new TextDecoder().decode(chunk);
    if (answer.includes("\n")) break;
  }
  if (answer.split("\n", 1)[0]?.trim().toLowerCase() !== "y") throw new ExitError(0);
}

/** A heading above what was deleted, and an empty line; nothing where nothing was. */
export function deleted(session: Session, heading: string, lines: readonly string[] | null | undefined): void {
  if (lines && lines.length > 0) session.out.line(`${heading}:\n${lines.map((line) => `${line}\n`).join("")}`);
}

export function reclaimed(session: Session, bytes: number): void {
  session.out.line(`Total reclaimed space: ${humanSize(bytes)}`);
}
