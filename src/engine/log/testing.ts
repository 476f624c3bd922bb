/** A monitor for tests: writes and reopens a log just as conmon does. */
import { closeSync, openSync, renameSync, writeSync } from "node:fs";

/** One record of a log; `second` orders them. */
export function record(second: number, stream: string, flag: string, text: string): string {
  return `2026-11-24T05:00:${String(second).padStart(2, "0")}.000000001+01:00 ${stream} ${flag} ${text}\n`;
}

export class FakeMonitor implements Disposable {
  readonly #path: string;
  #fd: number;

  constructor(path: string) {
    this.#path = path;
    this.#fd = openSync(path, "a", 0o600);
  }

  write(text: string): void {
    writeSync(this.#fd, text);
  }

  reopen(): boolean {
    closeSync(this.#fd);
    this.#fd = openSync(`${this.#path}.tmp`, "w", 0o600);
    renameSync(`${this.#path}.tmp`, this.#path);
    return true;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
