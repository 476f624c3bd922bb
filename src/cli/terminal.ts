/** The terminal of an interactive command: raw mode, size, and the way back. */
import { ReadStream } from "node:tty";
import { isTerminal } from "./output.ts";

export interface Size {
  readonly height: number;
  readonly width: number;
}

/** The controlling terminal of stdin; use `restore` on every way out. */
export class Terminal {
  readonly #input: ReadStream | undefined;

  constructor() {
    this.#input = isTerminal(0) ? new ReadStream(0) : undefined;
  }

  /** Keys reach the container as they are typed. */
  raw(): void {
    this.#input?.setRawMode(true);
  }

  /** Idempotent. */
  restore(): void {
    this.#input?.setRawMode(false);
  }
}

/** The size of the terminal that shows our output; undefined without one. */
export function terminalSize(): Size | undefined {
  const { columns, rows } = process.stdout;
  return columns && rows ? { height: rows, width: columns } : undefined;
}
