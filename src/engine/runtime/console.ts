/** Shares one container's (or exec's) streams among all attached clients, over a single connection to conmon. */
import type { HijackedConnection } from "#lib/http/hijack.ts";
import { connectSeqpacket, type SeqpacketConnection } from "#linux/seqpacket.ts";
import { DetachScanner } from "./detach-keys.ts";

export interface ConsoleOptions {
  tty: boolean;
  /** The process has a stdin that clients may write to. */
  stdin: boolean;
  /** That stdin ends with the first client that ends its own. */
  stdinOnce: boolean;
}

export interface ClientOptions {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  /** Undefined where the client cannot detach by keys. */
  detachKeys: Uint8Array | undefined;
}

/** Why an attachment ended. */
export type AttachEnd = "ended" | "detached" | "gone";

interface Client extends ClientOptions {
  connection: HijackedConnection;
  finish: (end: AttachEnd) => void;
}

/** First byte of conmon's packets (its stdpipe_t) and, less one, of Docker's frames. */
const STDERR = 3;

/**
 * Clients may attach before the process exists: `connect` is called between its creation and its start, so that
 * they miss nothing. Output waits for the slowest client (and then the process does), as with Docker.
 */
export class Console {
  readonly #options: ConsoleOptions;
  readonly #clients = new Set<Client>();
  #connection: SeqpacketConnection | undefined;
  #connected = Promise.withResolvers<SeqpacketConnection>();
  #path: string | undefined;
  #stdinEnded = false;
  #drained: Promise<void> = Promise.resolve();

  constructor(options: ConsoleOptions) {
    this.#options = options;
    this.#connected.promise.catch(() => {});
  }

  get clients(): number {
    return this.#clients.size;
  }

  /** The process exists (or was found running): clients attach through conmon's socket at `path` from now on. */
  open(path: string): void {
    this.#path = path;
    this.#stdinEnded = false;
    if (this.#clients.size > 0) this.#connect();
  }

  /** The process is gone: lets the clients have what is still under way, then ends them. */
  async close(): Promise<void> {
    this.#path = undefined;
    await this.#drained;
    this.#connection = undefined;
    this.#connected.reject(new Error("the process has ended"));
    this.#connected = Promise.withResolvers();
    this.#connected.promise.catch(() => {});
    for (const client of this.#clients) client.finish("ended");
  }

  /** Settles when the attachment is over; the connection is then closed. */
  async attach(connection: HijackedConnection, options: ClientOptions): Promise<AttachEnd> {
    const { promise, resolve } = Promise.withResolvers<AttachEnd>();
    const client: Client = { ...options, connection, finish: resolve };
    this.#clients.add(client);
    if (this.#path !== undefined && this.#connection === undefined) this.#connect();
    void connection.closed.then(() => resolve("gone"));
    void this.#forwardInput(client);
    const end = await promise;
    this.#clients.delete(client);
    this.#leave();
    connection.end();
    if (end !== "ended") connection.destroy();
    return end;
  }

  #connect(): void {
    if (this.#path === undefined) return;
    const connection = connectSeqpacket(this.#path);
    this.#connection = connection;
    this.#connected.resolve(connection);
    this.#drained = this.#pump(connection);
  }

  /** Without clients nobody is to pay for the output; but a stdin that ends with its client must stay open for one to come. */
  #leave(): void {
    if (this.#clients.size > 0 || this.#connection === undefined) return;
    const endsStdin = this.#options.stdin && this.#options.stdinOnce && !this.#options.tty;
    if (endsStdin && !this.#stdinEnded) return;
    this.#connection.close();
    this.#connection = undefined;
    this.#connected = Promise.withResolvers();
    this.#connected.promise.catch(() => {});
  }

  async #pump(connection: SeqpacketConnection): Promise<void> {
    for await (const packet of connection.packets()) {
      const waiting: Promise<void>[] = [];
      let framed: Uint8Array | undefined;
      for (const client of this.#clients) {
        if (packet[0] === STDERR ? !client.stderr : !client.stdout) continue;
        framed ??= this.#options.tty ? packet.slice(1) : frame(packet);
        const taken = client.connection.write(framed);
        if (taken instanceof Promise) waiting.push(taken);
      }
      if (waiting.length > 0) await Promise.all(waiting);
    }
    if (this.#connection === connection && this.#path === undefined) connection.close();
  }

  async #forwardInput(client: Client): Promise<void> {
    const scanner = client.detachKeys === undefined ? undefined : new DetachScanner(client.detachKeys);
    try {
      for await (const chunk of client.connection.readable) {
        if (!client.stdin || !this.#options.stdin) continue;
        const { pass, detached } = scanner?.scan(chunk) ?? { pass: chunk, detached: false };
        if (pass.length > 0 && !this.#stdinEnded) await (await this.#connected.promise).write(pass);
        if (detached) return client.finish("detached");
      }
      if (client.stdin && this.#options.stdin && this.#options.stdinOnce && !this.#options.tty) {
        const connection = await this.#connected.promise;
        this.#stdinEnded = true;
        connection.shutdownWrite();
      }
    } catch {
      // The process or the client went away: the output side notices and ends the attachment.
    }
  }
}

/** Docker's stream frame: stream number, three zeros, big-endian length, payload. */
function frame(packet: Uint8Array): Uint8Array {
  const framed = new Uint8Array(packet.length + 7);
  framed.set(packet, 7);
  framed[0] = (packet[0] ?? 2) - 1;
  new DataView(framed.buffer).setUint32(4, packet.length - 1);
  framed.fill(0, 1, 4);
  return framed;
}
