/** The daemon as a child process: from the sources, or the executable that BERTH_BIN names. */
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { patience } from "#lib/testing.ts";

export class DaemonProcess {
  /** The words that start Berth here; verbs follow. */
  readonly program: readonly string[];
  readonly #socket: string;
  readonly #logFile: string;
  readonly #arguments: readonly string[];
  #child: Bun.Subprocess | undefined;

  constructor(socket: string, logFile: string, arguments_: readonly string[]) {
    const binary = process.env["BERTH_BIN"];
    this.program = binary === undefined ? [process.execPath, join(import.meta.dir, "../../src/main.ts")] : [binary];
    this.#socket = socket;
    this.#logFile = logFile;
    this.#arguments = arguments_;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get pid(): number {
    if (this.#child === undefined) throw new Error("the daemon does not run");
    return this.#child.pid;
  }

  /** Resolves once it answers; rejects with the end of its log where it ends or stays silent. */
  async start(): Promise<void> {
    const log = openSync(this.#logFile, "a");
    // A test run that is cut off takes its daemons with it.
    const bound = ["setpriv", "--pdeathsig", "KILL", "--"];
    const child = Bun.spawn([...bound, ...this.program, "daemon", ...this.#arguments], {
      stdin: "ignore",
      stdout: log,
      stderr: log,
      // A daemon that a shell starts would get Ctrl-C as well; containers must not depend on its session.
      detached: true,
    });
    closeSync(log);
    this.#child = child;
    const deadline = Date.now() + 20_000 * patience;
    while (!(await this.#answers())) {
      if (child.exitCode !== null || Date.now() > deadline) {
        const why = child.exitCode === null ? "did not answer in time" : `ended with code ${child.exitCode}`;
        throw new Error(`the daemon ${why}; its log ends with:\n${(await this.log()).slice(-3000)}`);
      }
      await Bun.sleep(10);
    }
  }

  async #answers(): Promise<boolean> {
    try {
      const response = await fetch("http://localhost/_ping", { unix: this.#socket, headers: { Connection: "close" } });
      await response.bytes();
      return response.ok;
    } catch {
      return false;
    }
  }

  /** Resolves when the process is gone. Rejects where SIGTERM is not obeyed within 30 s (times `patience`), having killed it. */
  async stop(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    child.kill(signal);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, 30_000 * patience);
    await child.exited;
    clearTimeout(timer);
    this.#child = undefined;
    if (late) throw new Error(`the daemon did not end in time after SIGTERM:\n${(await this.log()).slice(-3000)}`);
  }

  async log(): Promise<string> {
    const file = Bun.file(this.#logFile);
    return (await file.exists()) ? await file.text() : "";
  }
}
