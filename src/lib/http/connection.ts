/**
 * One socket as bytes in and bytes out, with backpressure both ways and halves that close by themselves.
 *
 * Over Bun's own sockets: node:net costs a short-lived client 15 ms of start-up, node:http streams 64 KiB chunks
 * at 35 MB/s and cannot hand over a connection without `Upgrade`.
 */
import type { HijackedConnection } from "./hijack.ts";

/** Bytes read ahead of the reader. Enough to notice the end of a client that says little; then the kernel holds the rest. */
const readAhead = 256 * 1024;

/** How long a client may take for the TLS handshake. Seconds. */
const handshakeTime = 10;

type Security = "plain" | "encrypted" | "verified";

export class SocketConnection implements HijackedConnection {
  readonly closed: Promise<void>;
  readonly #settleClosed: () => void;
  #socket: Bun.Socket<SocketConnection> | undefined;
  #incoming: Uint8Array[] = [];
  #incomingSize = 0;
  #paused = false;
  readonly #plain: boolean;
  #ended = false;
  #reader: ((chunk: Uint8Array | undefined) => void) | undefined;
  #outgoing: Uint8Array[] = [];
  #writable = true;
  #finished = false;
  #drained: { promise: Promise<void>; resolve: () => void } | undefined;
  #onHangup: (() => void) | undefined;

  constructor(security: Security) {
    this.#plain = security === "plain";
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#settleClosed = resolve;
  }

  /** Nothing more will come from the peer: it closed its half, or all. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Tells once, from now on, that `ended` became true; a new listener replaces the former. */
  set onHangup(listener: (() => void) | undefined) {
    this.#onHangup = listener;
  }

  get readable(): AsyncIterable<Uint8Array> {
    return this.#chunks();
  }

  async *#chunks(): AsyncGenerator<Uint8Array> {
    for (let chunk = await this.read(); chunk !== undefined; chunk = await this.read()) yield chunk;
  }

  /** The next bytes, undefined at the end. One reader at a time. */
  read(): Promise<Uint8Array | undefined> {
    const chunk = this.#incoming.shift();
    if (chunk !== undefined) {
      this.#incomingSize -= chunk.length;
      if (this.#paused && this.#incomingSize < readAhead / 2) {
        this.#paused = false;
        this.#socket?.resume();
      }
      return Promise.resolve(chunk);
    }
    if (this.#ended) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#reader = resolve;
    });
  }

  /** Puts back what the reader did not need. */
  unread(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#incoming.unshift(chunk);
    this.#incomingSize += chunk.length;
  }

  /** What goes through the socket are the bytes themselves (no TLS), and it is not over. */
  get lendable(): boolean {
    return this.#plain && this.#socket !== undefined;
  }

  /** Settles when nothing is left of what was written, or the connection is over. */
  async drained(): Promise<void> {
    await this.#drained?.promise;
  }

  /** Its descriptor, which stays its own; undefined once it is over. */
  get fd(): number | undefined {
    // The declared types do not know that each socket has it.
    return (this.#socket as { readonly fd: number } | undefined)?.fd;
  }

  /**
   * Stops reading, so that another process may. Resolves to what was read and is not consumed; undefined where it is
   * not `lendable`, or nothing will come. Until `reclaim` there must be no reader.
   */
  async lend(): Promise<Uint8Array | undefined> {
    if (!this.lendable || this.#socket === undefined || this.#ended) return undefined;
    this.#paused = true;
    this.#socket.pause();
    // Bun may be about to read this socket once more in this turn of its loop.
    await new Promise((resolve) => setImmediate(resolve));
    const ahead = Buffer.concat(this.#incoming.splice(0));
    this.#incomingSize = 0;
    return ahead;
  }

  /** Reads again itself. */
  reclaim(): void {
    this.#paused = false;
    this.#socket?.resume();
  }

  /** As HijackedConnection has it; the chunk must not be changed until a returned promise settles. */
  write(chunk: Uint8Array | string): boolean | Promise<void> {
    if (!this.#writable || this.#socket === undefined) return false;
    const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    if (bytes.length === 0) return true;
    if (this.#drained === undefined) {
      const written = this.#socket.write(bytes);
      if (written === bytes.length) return true;
      if (written < 0) {
        this.#over();
        return false;
      }
      this.#outgoing.push(bytes.subarray(written));
      this.#drained = Promise.withResolvers<void>();
    } else {
      this.#outgoing.push(bytes);
    }
    return this.#drained.promise;
  }

  end(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#writable = false;
    if (this.#drained === undefined) this.#shutdown();
  }

  destroy(): void {
    this.#socket?.terminate();
    this.#over();
  }

  #shutdown(): void {
    if (this.#ended) this.#socket?.end();
    else this.#socket?.shutdown();
  }

  #flush(): void {
    while (this.#outgoing[0] !== undefined) {
      const chunk = this.#outgoing[0];
      const written = this.#socket?.write(chunk) ?? -1;
      if (written < 0) return this.#over();
      if (written < chunk.length) {
        this.#outgoing[0] = chunk.subarray(written);
        return;
      }
      this.#outgoing.shift();
    }
    const drained = this.#drained;
    this.#drained = undefined;
    if (this.#finished) this.#shutdown();
    drained?.resolve();
  }

  #receive(chunk: Uint8Array): void {
    const reader = this.#reader;
    if (reader !== undefined) {
      this.#reader = undefined;
      reader(chunk);
      return;
    }
    this.#incoming.push(chunk);
    this.#incomingSize += chunk.length;
    if (this.#incomingSize >= readAhead && !this.#paused) {
      this.#paused = true;
      this.#socket?.pause();
    }
  }

  #endOfInput(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#reader?.(undefined);
    this.#reader = undefined;
    const hangup = this.#onHangup;
    this.#onHangup = undefined;
    hangup?.();
    // Both halves are over: Bun leaves a socket with allowHalfOpen to us.
    if (this.#finished && this.#drained === undefined) this.#socket?.end();
  }

  #over(): void {
    this.#socket = undefined;
    this.#writable = false;
    this.#outgoing = [];
    this.#endOfInput();
    this.#drained?.resolve();
    this.#drained = undefined;
    this.#settleClosed();
  }

  /**
   * Callbacks for Bun.listen with `allowHalfOpen`; `accept` takes each new connection, over TLS when its handshake is
   * done: with "verified" only those whose certificate is trusted.
   */
  static handlers(
    accept: (connection: SocketConnection) => void,
    security: Security = "plain",
  ): Bun.SocketHandler<SocketConnection> {
    return {
      open(socket) {
        const connection = new SocketConnection(security);
        connection.#socket = socket;
        socket.data = connection;
        if (security === "plain") accept(connection);
        else socket.timeout(handshakeTime);
      },
      handshake(socket, success) {
        if (security === "plain") return;
        socket.timeout(0);
        if (success && (security === "encrypted" || socket.authorized)) accept(socket.data);
        else socket.data.destroy();
      },
      timeout: (socket) => socket.data.destroy(),
      data: (socket, chunk) => socket.data.#receive(chunk),
      drain: (socket) => socket.data.#flush(),
      end: (socket) => socket.data.#endOfInput(),
      close: (socket) => socket.data.#over(),
      error: (socket) => socket.data.#over(),
    };
  }
}
