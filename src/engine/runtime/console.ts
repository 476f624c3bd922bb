/** Shares one container's (or exec's) streams among all attached clients, over a single connection to conmon. */
import type { HijackedConnection } from "#lib/http/hijack.ts";
import { connectSeqpacket, type SeqpacketConnection } from "#linux/seqpacket.ts";
import { ECONNREFUSED, ENOENT, hasErrno } from "#linux/syscall-error.ts";
import { DetachScanner } from "./detach-keys.ts";

export interface ConsoleOptions {
  tty: boolean;
  /** The process has a stdin that clients may write to. */
  stdin: boolean;
  /** That stdin ends with the first client that ends its own. */
  stdinOnce: boolean;
  /** Asked while output waits for a client: once it is false, the wait is over, as with `died`. */
  alive?: () => boolean;
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
  /** Bytes that the connection holds for a client that does not read them. */
  owed: number;
  finish: (end: AttachEnd) => void;
}

/** How far a client may fall behind before the others, and in the end the process, wait for it. Bytes. */
const LARGEST_LAG = 1024 * 1024;

/** How often `alive` is asked. Milliseconds. */
const LOOK_INTERVAL = 200;

/** First byte of conmon's packets (its stdpipe_t) and, less one, of Docker's frames. */
const STDERR = 3;

/**
 * Clients may attach before the process exists: `connect` is called between its creation and its start, so that
 * they miss nothing. No client loses anything: output waits for one that is far behind, and then the process does, as
 * with Docker.
 */
export class Console {
  readonly #options: ConsoleOptions;
  #run: ConsoleRun;

  constructor(options: ConsoleOptions) {
    this.#options = options;
    this.#run = new ConsoleRun(options);
  }

  /** The process exists (or was found running): clients attach through conmon's socket at `path` from now on. */
  async open(path: string): Promise<void> {
    await this.#run.open(path);
  }

  /**
   * The process is dead, or dies this moment: the little that it left behind is taken off the monitor's hands at once.
   * While a client that does not read holds it up, the monitor cannot tell the exit.
   */
  died(): void {
    this.#run.died();
  }

  /**
   * The exit is told: lets the clients have what is still under way, however long they take, then ends them. Who
   * attaches after the call waits for the next run, which need not wait for the slow ones of this.
   */
  async close(): Promise<void> {
    const run = this.#run;
    this.#run = new ConsoleRun(this.#options);
    await run.close();
  }

  /** Settles when the attachment is over; the connection is then closed. */
  async attach(connection: HijackedConnection, options: ClientOptions): Promise<AttachEnd> {
    return await this.#run.attach(connection, options);
  }
}

/** The streams of one process, from before its start until its last byte is delivered. Contracts: Console. */
class ConsoleRun {
  readonly #options: ConsoleOptions;
  readonly #clients = new Set<Client>();
  #connection: SeqpacketConnection | undefined;
  #connecting: Promise<void> | undefined;
  /** Settles with the connection that input is to go to; replaced whenever that connection ends. */
  #input = Promise.withResolvers<SeqpacketConnection>();
  #path: string | undefined;
  #stdinEnded = false;
  /** The process is dead: no backpressure any more. */
  #dead = false;
  /** Ends the wait for clients that are slow to take the present packet. */
  #letGo: (() => void) | undefined;
  /** Settles when the present connection's last packet is with the clients. */
  #drained: Promise<void> = Promise.resolve();

  constructor(options: ConsoleOptions) {
    this.#options = options;
  }

  async open(path: string): Promise<void> {
    this.#path = path;
    this.#stdinEnded = false;
    if (this.#clients.size > 0) await this.#connect();
  }

  died(): void {
    this.#dead = true;
    this.#letGo?.();
  }

  async close(): Promise<void> {
    this.#path = undefined;
    this.died();
    await this.#connecting?.catch(() => {});
    await this.#drained;
    this.#disconnect();
    for (const client of this.#clients) client.finish("ended");
  }

  async attach(connection: HijackedConnection, options: ClientOptions): Promise<AttachEnd> {
    const { promise, resolve } = Promise.withResolvers<AttachEnd>();
    const client: Client = { ...options, connection, owed: 0, finish: resolve };
    this.#clients.add(client);
    void this.#forwardInput(client);
    try {
      if (this.#path !== undefined) await this.#connect();
    } catch (error) {
      this.#clients.delete(client);
      connection.destroy();
      throw error;
    }
    void connection.closed.then(() => resolve("gone"));
    const end = await promise;
    this.#clients.delete(client);
    this.#leave();
    connection.end();
    if (end !== "ended") connection.destroy();
    return end;
  }

  async #connect(): Promise<void> {
    if (this.#path === undefined || this.#connecting) return this.#connecting;
    this.#connecting = this.#connectOnce(this.#path);
    return this.#connecting;
  }

  async #connectOnce(path: string): Promise<void> {
    const drained = Promise.withResolvers<void>();
    this.#drained = drained.promise;
    try {
      this.#connection = await connectSeqpacket(path, {
        onPacket: (packet) => this.#deliver(packet),
        onClose: drained.resolve,
      });
      this.#input.resolve(this.#connection);
    } catch (error) {
      drained.resolve();
      // The process ended in this very moment: `close` follows and ends the clients.
      if (!hasErrno(error, ENOENT, ECONNREFUSED)) throw error;
    }
  }

  #disconnect(): void {
    this.#connection?.close();
    this.#connection = undefined;
    this.#connecting = undefined;
    this.#input = Promise.withResolvers();
  }

  /** Without clients nobody is to pay for the output; but a stdin that ends with its client must stay open for one to come. */
  #leave(): void {
    if (this.#clients.size > 0 || this.#connection === undefined) return;
    const endsStdin = this.#options.stdin && this.#options.stdinOnce && !this.#options.tty;
    if (endsStdin && !this.#stdinEnded) return;
    this.#disconnect();
  }

  #deliver(packet: Uint8Array): void | Promise<void> {
    let waiting: Promise<void>[] | undefined;
    let framed: Uint8Array | undefined;
    for (const client of this.#clients) {
      if (packet[0] === STDERR ? !client.stderr : !client.stdout) continue;
      framed ??= this.#options.tty ? packet.subarray(1) : frame(packet);
      const taken = client.connection.write(framed);
      if (!(taken instanceof Promise)) continue;
      if (client.owed === 0) void taken.then(() => (client.owed = 0));
      client.owed += framed.length;
      if (client.owed > LARGEST_LAG) (waiting ??= []).push(taken);
    }
    if (waiting === undefined || this.#dead) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const { alive } = this.#options;
    const look = alive && setInterval(() => alive() || this.died(), LOOK_INTERVAL);
    this.#letGo = () => {
      clearInterval(look);
      resolve();
    };
    void Promise.all(waiting).then(this.#letGo);
    return promise;
  }

  async #forwardInput(client: Client): Promise<void> {
    // Of this run: what a client has left to say after its end is not for the next process.
    const input = this.#input.promise;
    const scanner = client.detachKeys === undefined ? undefined : new DetachScanner(client.detachKeys);
    try {
      for await (const chunk of client.connection.readable) {
        if (!client.stdin || !this.#options.stdin) continue;
        const { pass, detached } = scanner?.scan(chunk) ?? { pass: chunk, detached: false };
        if (pass.length > 0 && !this.#stdinEnded) await (await input).write(pass);
        if (detached) return client.finish("detached");
      }
      if (client.stdin && this.#options.stdin && this.#options.stdinOnce && !this.#options.tty) {
        const connection = await input;
        if (connection === this.#connection) this.#stdinEnded = true;
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
