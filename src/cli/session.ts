/** What every verb is given: the streams, the environment, and the way to the daemon. */
import { Connection } from "./connection.ts";
import { ExitError } from "./errors.ts";
import { defaultHost, type globalFlags } from "./globals.ts";
import type { Values } from "./flags.ts";
import { Output, isTerminal } from "./output.ts";

/** One command line's surroundings. Opens nothing until asked. */
export class Session {
  readonly out = new Output(1);
  readonly err = new Output(2);
  readonly env: NodeJS.ProcessEnv;
  #daemon: Connection | undefined;
  readonly #globals: Partial<Values<typeof globalFlags>>;

  constructor(globals: Partial<Values<typeof globalFlags>>, env: NodeJS.ProcessEnv) {
    this.#globals = globals;
    this.env = env;
  }

  /** The daemon's address: `-H`, BERTH_HOST, DOCKER_HOST, else the default socket. Throws for what is not supported. */
  get host(): string {
    const { context, tls, tlsverify, tlscacert, tlscert, tlskey } = this.#globals;
    if (context) throw new ExitError(1, "berth: contexts are not available: name the daemon with --host");
    if (tls || tlsverify || tlscacert || tlscert || tlskey) throw new ExitError(1, "berth: TLS connections are not available yet");
    const hosts = this.#globals.host ?? [];
    if (hosts.length > 1) throw new ExitError(1, "Specify only one -H");
    return hosts[0] ?? (this.env["BERTH_HOST"] || this.env["DOCKER_HOST"] || defaultHost);
  }

  /** The daemon; not spoken to until a request is sent. */
  get daemon(): Connection {
    return (this.#daemon ??= new Connection(this.host, this.env["DOCKER_API_VERSION"]));
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
