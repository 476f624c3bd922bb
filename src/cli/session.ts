/** What every verb is given: the streams, the environment, and the way to the daemon. */
import { readFileSync } from "node:fs";
import { Connection } from "./connection.ts";
import { defaultContext } from "./context/store.ts";
import { ExitError } from "./errors.ts";
import type { globalFlags } from "./globals.ts";
import type { Values } from "./flags.ts";
import { Output, isTerminal } from "./output.ts";
import { type Choice, chooseContext, configurationFolder, resolveTarget, type Target } from "./target.ts";

/** The text settings of `config.json`, under Docker's names. */
export type Preferences = Readonly<
  Partial<
    Record<
      | "currentContext"
      | "detachKeys"
      | "psFormat"
      | "imagesFormat"
      | "networksFormat"
      | "volumesFormat"
      | "statsFormat",
      string
    >
  >
>;

/** One command line's surroundings. Opens nothing until asked. */
export class Session {
  readonly out = new Output(1);
  readonly err = new Output(2);
  readonly env: NodeJS.ProcessEnv;
  #daemon: Connection | undefined;
  #preferences: Preferences | undefined;
  #choice: Choice | undefined;
  readonly #globals: Partial<Values<typeof globalFlags>>;

  constructor(globals: Partial<Values<typeof globalFlags>>, env: NodeJS.ProcessEnv) {
    this.#globals = globals;
    this.env = env;
  }

  /** What decides which daemon is meant. Throws ExitError for flags that exclude each other. */
  get choice(): Choice {
    return (this.#choice ??= chooseContext(this.#globals, this.env, () => this.preferences.currentContext));
  }

  /** Where that daemon is. Throws ExitError for an unknown context. */
  get target(): Target {
    return resolveTarget(this.choice, this.#globals, this.env);
  }

  /** Where the default context leads, whichever counts. */
  get defaultTarget(): Target {
    const host = this.#globals.host?.[0];
    return resolveTarget({ context: defaultContext, ...(host !== undefined && { host }) }, this.#globals, this.env);
  }

  /** Folder of config.json and contexts. */
  get folder(): string {
    return configurationFolder(this.#globals, this.env);
  }

  /** The daemon; not spoken to until a request is sent. */
  get daemon(): Connection {
    if (this.#daemon !== undefined) return this.#daemon;
    const { host, tls } = this.target;
    return (this.#daemon = new Connection(host, this.env["DOCKER_API_VERSION"], tls));
  }

  /** Preferences from `config.json` (`psFormat`, `detachKeys`, …) in the configuration folder; empty where there is none. */
  get preferences(): Preferences {
    return (this.#preferences ??= this.#readPreferences());
  }

  #readPreferences(): Preferences {
    const path = `${this.folder}/config.json`;
    try {
      return JSON.parse(readFileSync(path, "utf8")) as Preferences;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
      throw new ExitError(1, `cannot read ${path}: ${(error as Error).message}`, { cause: error });
    }
  }

  get debug(): boolean {
    return this.#globals.debug ?? false;
  }

  /** Whether stdin is a terminal. */
  get interactive(): boolean {
    return isTerminal(0);
  }

  /** Columns that help may use. */
  get width(): number {
    return this.out.isTerminal ? process.stdout.columns || 80 : 80;
  }
}
