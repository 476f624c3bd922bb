/** Does one thing to each of several objects, as stop, rm, pause and their like do. */
import { errorMessage } from "#lib/errors.ts";
import { ExitError } from "./errors.ts";
import type { Session } from "./session.ts";

/** How many requests are under way at once. */
const parallel = 50;

/** A failure that is only worth a line on stderr. */
export class Harmless extends Error {}

/**
 * Runs `operation` for every name and prints the names of those that worked, in order (or what `operation` resolved
 * with instead). Throws ExitError with all other messages at the end.
 */
export async function forEach(
  session: Session,
  names: readonly string[],
  operation: (name: string) => Promise<unknown>,
): Promise<void> {
  const errors: string[] = [];
  const failure = (error: unknown) => () => {
    if (error instanceof Harmless) session.err.line(error.message);
    else errors.push(errorMessage(error));
  };
  for (let from = 0; from < names.length; from += parallel) {
    const batch = names.slice(from, from + parallel);
    const running = batch.map((name) =>
      operation(name).then((value) => () => session.out.line(typeof value === "string" ? value : name), failure),
    );
    for (const report of running) (await report)();
  }
  if (errors.length > 0) throw new ExitError(1, errors.join("\n"));
}
