/** Shows the progress messages of pull, load, import and their like: live lines on a terminal, plain ones elsewhere. */
import type { ProgressMessage } from "#api/types/image.ts";
import { jsonLines } from "./connection.ts";
import type { Output } from "./output.ts";
import { humanSize } from "./units.ts";

const barWidth = 50;
/** Below this many columns only the numbers fit. */
const roomForBar = 110;

/**
 * Reads a whole stream of messages and shows it on `output`, if given; `aux` gets what is meant for the program. Rejects with the message
 * that the stream carries as its error.
 */
export async function showProgress(response: Response, output?: Output, aux?: (value: unknown) => void): Promise<void> {
  const display = output ? new ProgressDisplay(output) : undefined;
  for await (const line of jsonLines(response)) {
    const message = JSON.parse(line) as ProgressMessage;
    if (message.aux !== undefined) {
      aux?.(message.aux);
      continue;
    }
    const error = message.errorDetail?.message ?? message.error;
    if (error !== undefined) throw new Error(error);
    display?.show(message);
  }
}

/** Keeps each id on its own line while its messages carry progress. */
export class ProgressDisplay {
  readonly #output: Output;
  readonly #width: number;
  #lines = new Map<string, number>();

  constructor(output: Output) {
    this.#output = output;
    this.#width = output.isTerminal ? process.stderr.columns || process.stdout.columns || 80 : 0;
  }

  show(message: ProgressMessage): void {
    const { id = "", status = "", stream, progressDetail } = message;
    const live = this.#output.isTerminal;
    const bar = progressDetail ? progressBar(progressDetail, this.#width) : (message.progress ?? "");
    const tracked = id !== "" && (progressDetail !== undefined || message.progress !== undefined);
    if (!tracked) this.#lines.clear();
    if (!live) {
      // A line for each step of a download would bury the log.
      if (bar === "") this.#output.write(stream ?? `${id ? `${id}: ` : ""}${status}\n`);
      return;
    }
    if (stream !== undefined) {
      this.#output.write(stream);
      return;
    }
    const text = `${id ? `${id}: ` : ""}${status}${bar ? ` ${bar}` : ""}`;
    this.#output.write(tracked ? this.#inPlace(id, text) : `${text}\n`);
  }

  #inPlace(id: string, text: string): string {
    let line = this.#lines.get(id);
    let out = "";
    if (line === undefined) {
      line = this.#lines.size;
      this.#lines.set(id, line);
      out = "\n";
    }
    const up = this.#lines.size - line;
    return `${out}\x1b[${up}A\x1b[2K\r${text}\r\x1b[${up}B`;
  }
}

function progressBar(
  { current = 0, total = 0, units, hidecounts }: NonNullable<ProgressMessage["progressDetail"]>,
  width: number,
): string {
  if (current <= 0 && total <= 0) return "";
  const number = (value: number) => (units ? `${value} ${units}` : humanSize(value));
  if (total <= 0) return number(current).padStart(8);
  const filled = Math.min(barWidth, Math.trunc((current / total) * barWidth));
  const bar = width > roomForBar ? `[${"=".repeat(filled)}>${" ".repeat(barWidth - filled)}] ` : "";
  if (hidecounts) return bar;
  return bar + (current > total ? number(current).padStart(8) : `${number(current).padStart(8)}/${number(total)}`);
}
