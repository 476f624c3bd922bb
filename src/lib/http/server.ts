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

export class HttpServer {
  readonly #handler: HttpHandler;
  readonly #listeners: Bun.SocketListener<SocketConnection>[] = [];
  readonly #idle = new Set<SocketConnection>();
  readonly #all = new Set<SocketConnection>();
  #closing = false;

  constructor(handler: HttpHandler) {
    this.#handler = handler;
  }

  /** Throws what the kernel says (address in use, permission). The socket file is made with the process's umask. */
  listenUnix(path: string): void {
    this.#listeners.push(Bun.listen({ unix: path, allowHalfOpen: true, socket: this.#handlers() }));
  }

  /** Port 0 takes a free one. Answers the port. */
  listenTcp(hostname: string, port: number): number {
    const listener = Bun.listen({ hostname, port, allowHalfOpen: true, socket: this.#handlers() });
    this.#listeners.push(listener);
    return listener.port;
  }

  /** Refuses new connections, lets requests under way finish for `grace` milliseconds, then cuts the rest. */
  async close(grace: number): Promise<void> {
    this.#closing = true;
    for (const listener of this.#listeners.splice(0)) listener.stop();
    for (const connection of this.#idle) connection.destroy();
    const finished = Promise.all([...this.#all].map((connection) => connection.closed));
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, grace);
    await Promise.race([finished, late.promise]);
    clearTimeout(timer);
    for (const connection of this.#all) connection.destroy();
  }

  #handlers(): Bun.SocketHandler<SocketConnection> {
    return SocketConnection.handlers((connection) => {
      this.#all.add(connection);
      void connection.closed.then(() => this.#all.delete(connection));
      void this.#serve(connection);
    });
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
    await this.#handler(request, response);
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
