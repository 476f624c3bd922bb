/** The shape of a verb: one table of flags serves the parser, the help text and the completions. */
import type { Completion, FlagTable, Parsed } from "./flags.ts";
import type { Session } from "./session.ts";

/** A verb's own module exports one of these as `verb`. */
export interface Verb<F extends FlagTable = FlagTable> {
  /** What follows the name in the usage line: `[OPTIONS] IMAGE [COMMAND] [ARG...]`. */
  readonly use: string;
  readonly flags: F;
  /** How many positional arguments it takes; without `max`, any number. */
  readonly args: { readonly min: number; readonly max?: number };
  /** Replaces the summary at the head of the help. */
  readonly details?: string;
  /** Off where everything after the first positional argument belongs to the container. Default on. */
  readonly interspersed?: boolean;
  /** What the shell may propose for positional arguments, each in turn; the last one repeats. */
  readonly complete?: readonly Completion[];
  /** Resolves with the exit code, none meaning 0. Rejects with ExitError or EngineError. */
  run(session: Session, parsed: Parsed<F>): Promise<number | void>;
}

/** Types a verb by its own flag table. */
export function verb<F extends FlagTable>(definition: Verb<F>): Verb<F> {
  return definition;
}
