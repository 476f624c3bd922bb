/** An HTTP/1.x server that streams without delay and can hand a connection over after any request head. */
import { EngineError } from "../errors.ts";
import { readUntil } from "./body.ts";
import { SocketConnection } from "./connection.ts";
import { HttpResponse, type HttpRequest, newRequest } from "./exchange.ts";
import { parseRequestHead } from "./head.ts";

/**
 * Answers one request. Whoever hijacks the connection closes it. Must not throw: what does, costs the client the
 * connection.
 */
export type HttpHandler = (request: HttpRequest, response: HttpResponse) => Promise<void> | void;

const maxHead = 64 * 1024;
/** How long a client may go on sending what nobody reads before the connection is cut. Milliseconds. */
const lingerTime = 2000;

/** PEM texts. With `ca`, only clients whose certificate it has signed are let in. */
export interface ServerTls {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
}

type Address = { unix: string } | { hostname: string; port: number } | { fd: number };

interface Listening {
  readonly listener: Bun.TCPSocketListener<SocketConnection> & { readonly fd: number };
  readonly tls: boolean;
}

export class HttpServer {
  readonly #handler: HttpHandler;
  #listeners: Listening[] = [];
  readonly #idle = new Set<SocketConnection>();
  readonly #all = new Set<SocketConnection>();
  readonly #answering = new Map<SocketConnection, HttpResponse>();
  #closing = false;

  constructor(handler: HttpHandler) {
    this.#handler = handler;
  }

  /** Throws what the kernel says (address in use, permission). The socket file is made with the process's umask. */
  listenUnix(path: string): void {
    this.#listen({ unix: path });
  }

  /** Port 0 takes a free one. Answers the port. Throws also for certificates that cannot be. */
  listenTcp(hostname: string, port: number, tls?: ServerTls): number {
    return this.#listen({ hostname, port }, tls).port;
  }

  /** Takes over a listening, non-blocking socket, and closes it in the end. */
  listenFd(fd: number, tls?: ServerTls): void {
    this.#listen({ fd }, tls);
  }

  /**
   * New connections of all TLS listeners get these certificates; none is turned away meanwhile. `duplicate` gives
   * another descriptor of the same socket. Throws for certificates that cannot be, with the old ones still in force.
   */
  renew(tls: ServerTls, duplicate: (fd: number) => number): void {
    const old = this.#listeners.filter((one) => one.tls);
    const added: Listening[] = [];
    try {
      for (const { listener } of old) added.push(this.#open({ fd: duplicate(listener.fd) }, tls));
    } catch (error) {
      for (const { listener } of added) listener.stop();
      throw error;
    }
    this.#listeners = [...this.#listeners.filter((one) => !one.tls), ...added];
    for (const { listener } of old) listener.stop();
  }

  /**
   * Refuses new connections, lets requests under way finish for `grace` milliseconds, archives in transit for
   * `patience`, then cuts the rest.
   */
  async close(grace: number, patience = grace): Promise<void> {
    this.#closing = true;
    for (const { listener } of this.#listeners.splice(0)) listener.stop();
    for (const connection of this.#idle) connection.destroy();
    await within(grace, [...this.#all]);
    const transfers = [...this.#answering].filter(([, response]) => response.transferring);
    await within(
      patience - grace,
      transfers.map(([connection]) => connection),
    );
    for (const connection of this.#all) connection.destroy();
  }

  #listen(address: Address, tls?: ServerTls): Bun.TCPSocketListener<SocketConnection> {
    const one = this.#open(address, tls);
    this.#listeners.push(one);
    return one.listener;
  }

  #open(address: Address, tls: ServerTls | undefined): Listening {
    const security = tls === undefined ? "plain" : tls.ca === undefined ? "encrypted" : "verified";
    const socket = SocketConnection.handlers((connection) => {
      this.#all.add(connection);
      void connection.closed.then(() => this.#all.delete(connection));
      void this.#serve(connection);
    }, security);
    const verify = { requestCert: security === "verified", rejectUnauthorized: security === "verified" };
    const options = { ...address, allowHalfOpen: true, socket, ...(tls && { tls: { ...tls, ...verify } }) };
    // The declared types know neither inherited sockets nor that each kind of listener has the descriptor.
    const listener = Bun.listen(
      options as unknown as Bun.TCPSocketListenOptions<SocketConnection>,
    ) as Listening["listener"];
    return { listener, tls: tls !== undefined };
  }

  async #serve(connection: SocketConnection): Promise<void> {
    try {
      while (await this.#exchange(connection));
      connection.end();
      await linger(connection);
    } catch {
      // The handler promised not to throw; a client that broke off in the middle of a message ends here too.
      connection.destroy();
    }
  }

  /** True where another request may follow; rejects where the connection is beyond use. */
  async #exchange(connection: SocketConnection): Promise<boolean> {
    this.#idle.add(connection);
    let request: HttpRequest;
    try {
      const text = await readUntil(connection, "\r\n\r\n", maxHead);
      if (text === undefined || this.#closing) return false;
      request = newRequest(connection, parseRequestHead(text.toString("latin1")));
    } catch (error) {
      if (!connection.ended) refuse(connection, error);
      return false;
    } finally {
      this.#idle.delete(connection);
    }
    const response = new HttpResponse(connection, request);
    connection.onHangup = () => request.abandon();
    if (connection.ended) request.abandon();
    this.#answering.set(connection, response);
    try {
      await this.#handler(request, response);
    } finally {
      this.#answering.delete(connection);
    }
    connection.onHangup = undefined;
    if (response.outcome === "hijacked") {
      await connection.closed;
      return false;
    }
    if (response.outcome !== "complete") throw new Error("the response was not completed");
    if (!response.keepAlive || this.#closing) return false;
    while (!request.body.done) await request.body.read();
    return true;
  }
}

/** Settles when all are closed, at the latest after `time` milliseconds. */
async function within(time: number, connections: readonly SocketConnection[]): Promise<void> {
  if (time <= 0 || connections.length === 0) return;
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, time);
  await Promise.race([Promise.all(connections.map(({ closed }) => closed)), late.promise]);
  clearTimeout(timer);
}

function refuse(connection: SocketConnection, error: unknown): void {
  const message = error instanceof EngineError ? error.message : "malformed HTTP request";
  const status = message.includes("too large") ? "431 Request Header Fields Too Large" : "400 Bad Request";
  const body = `${JSON.stringify({ message })}\n`;
  void connection.write(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

/** Reads what still comes: closing a unix socket with unread bytes in it would take the answer from the client. */
async function linger(connection: SocketConnection): Promise<void> {
  const timer = setTimeout(() => connection.destroy(), lingerTime);
  try {
    while ((await connection.read()) !== undefined);
  } finally {
    clearTimeout(timer);
  }
}
