/** What every verb is given: the streams, the environment, and the way to the daemon. */
import { readFileSync } from "node:fs";
import { Connection } from "./connection.ts";
import { ExitError } from "./errors.ts";
import { defaultHost, type globalFlags } from "./globals.ts";
import type { Values } from "./flags.ts";
import { Output, isTerminal } from "./output.ts";

/** The text settings of `config.json`, under Docker's names. */
export type Preferences = Readonly<
  Partial<
    Record<"detachKeys" | "psFormat" | "imagesFormat" | "networksFormat" | "volumesFormat" | "statsFormat", string>
  >
>;

/** One command line's surroundings. Opens nothing until asked. */
export class Session {
  readonly out = new Output(1);
  readonly err = new Output(2);
  readonly env: NodeJS.ProcessEnv;
  #daemon: Connection | undefined;
  #preferences: Preferences | undefined;
  readonly #globals: Partial<Values<typeof globalFlags>>;

  constructor(globals: Partial<Values<typeof globalFlags>>, env: NodeJS.ProcessEnv) {
    this.#globals = globals;
    this.env = env;
  }

  /** The daemon's address: `-H`, BERTH_HOST, DOCKER_HOST, else the default socket. Throws for what is not supported. */
  get host(): string {
    const { context, tls, tlsverify, tlscacert, tlscert, tlskey } = this.#globals;
    const hosts = this.#globals.host ?? [];
    if (context && hosts.length > 0)
      throw new ExitError(1, "conflicting options: cannot specify both --host and --context");
    if (hosts.length > 1)
      throw new ExitError(1, "Failed to initialize: unable to resolve berth endpoint: Specify only one -H");
    const named = hosts[0] ?? (this.env["BERTH_HOST"] || this.env["DOCKER_HOST"]);
    // Going to another daemon than the one that was meant would be worse than an error.
    const wanted = context || (named ? "" : this.env["DOCKER_CONTEXT"]);
    if (wanted && wanted !== "default")
      throw new ExitError(1, `berth: context "${wanted}": contexts are not available, name the daemon with --host`);
    if (tls || tlsverify || tlscacert || tlscert || tlskey)
      throw new ExitError(1, "berth: TLS connections are not available yet");
    return named || defaultHost;
  }

  /** The daemon; not spoken to until a request is sent. */
  get daemon(): Connection {
    return (this.#daemon ??= new Connection(this.host, this.env["DOCKER_API_VERSION"]));
  }

  /** Preferences from `config.json` (`psFormat`, `detachKeys`, …) in the configuration folder; empty where there is none. */
  get preferences(): Preferences {
    return (this.#preferences ??= this.#readPreferences());
  }

  #readPreferences(): Preferences {
    const home = this.env["XDG_CONFIG_HOME"] || `${this.env["HOME"] ?? ""}/.config`;
    const folder = this.#globals.config || this.env["BERTH_CONFIG"] || this.env["DOCKER_CONFIG"] || `${home}/berth`;
    const path = `${folder}/config.json`;
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
