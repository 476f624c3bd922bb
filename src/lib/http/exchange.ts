/** One request and its response, as handlers see them. */
import { MessageBody } from "./body.ts";
import type { SocketConnection } from "./connection.ts";
import { type RequestHead, requestFraming } from "./head.ts";
import type { HijackedConnection } from "./hijack.ts";

export class HttpRequest {
  readonly method: string;
  /** Without query; still percent-encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly minor: number;
  readonly headers: Map<string, string>;
  readonly body: MessageBody;
  #aborter: AbortController | undefined;
  #gone = false;

  constructor(head: RequestHead, body: MessageBody) {
    const mark = head.target.indexOf("?");
    this.method = head.method;
    this.path = mark < 0 ? head.target : head.target.slice(0, mark);
    this.query = new URLSearchParams(mark < 0 ? "" : head.target.slice(mark + 1));
    this.minor = head.minor;
    this.headers = head.headers;
    this.body = body;
  }

  /** Aborted when the client leaves before its answer is complete. */
  get signal(): AbortSignal {
    this.#aborter ??= new AbortController();
    if (this.#gone) this.#aborter.abort();
    return this.#aborter.signal;
  }

  /** The server's: the client left. */
  abandon(): void {
    this.#gone = true;
    this.#aborter?.abort();
  }
}

/** Takes the pieces of a streamed body; each is on its way when `write` returns. */
export interface BodyWriter {
  /** As HijackedConnection.write. */
  write(chunk: Uint8Array | string): boolean | Promise<void>;
  /** Completes the body. A body that is never ended breaks the connection, so the client sees that it is cut short. */
  end(): void;
}

/** The socket of an answer whose body another process writes. Ends with `end`; without it the connection breaks. */
export interface LentAnswer {
  /** Non-blocking; undefined where the connection is over by now. It is ours: to be duplicated at once. */
  readonly fd: number | undefined;
  /** The body goes in chunks, of which the last is ours to write. */
  readonly chunked: boolean;
  end(): void;
}

type Outcome = "open" | "streaming" | "complete" | "hijacked";

/** Exactly one of `send`, `stream` and `hijack` answers. */
export class HttpResponse {
  readonly #connection: SocketConnection;
  readonly #request: HttpRequest;
  readonly #headers: [string, string][] = [];
  #outcome: Outcome = "open";
  #archive = false;
  #keepAlive: boolean;
  status = 0;

  constructor(connection: SocketConnection, request: HttpRequest) {
    this.#connection = connection;
    this.#request = request;
    const wanted = request.headers.get("connection")?.toLowerCase() ?? "";
    this.#keepAlive = request.minor === 1 ? !wanted.includes("close") : wanted.includes("keep-alive");
  }

  get outcome(): Outcome {
    return this.#outcome;
  }

  /** An archive comes in or goes out, or is being worked on: cut off, all of it would have to be sent again. */
  get transferring(): boolean {
    return this.#archive || (this.#outcome !== "hijacked" && this.#request.body.length > maxUnreadBody);
  }

  /** The connection may carry another request. */
  get keepAlive(): boolean {
    return this.#keepAlive;
  }

  /** For the head of whatever answers. `value` must hold no line break. */
  setHeader(name: string, value: string): void {
    this.#headers.push([name, value]);
  }

  /** A whole answer. 204 and 304 have no body; HEAD sends the length only. */
  send(status: number, body: string | Uint8Array = "", contentType?: string): void {
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    const bodiless = status === 204 || status === 304;
    let head = this.#head(status, contentType);
    if (!bodiless) head += `Content-Length: ${bytes.length}\r\n`;
    this.#outcome = "complete";
    const silent = bodiless || this.#request.method === "HEAD" || bytes.length === 0;
    void this.#connection.write(silent ? `${head}\r\n` : Buffer.concat([Buffer.from(`${head}\r\n`, "latin1"), bytes]));
  }

  /** Sends the head at once and takes the body piece by piece. */
  stream(status: number, contentType: string): BodyWriter {
    const chunked = this.#request.minor === 1;
    if (!chunked) this.#keepAlive = false;
    const head = this.#head(status, contentType);
    this.#outcome = "streaming";
    this.#archive = archiveTypes.includes(contentType);
    const connection = this.#connection;
    void connection.write(`${head}${chunked ? "Transfer-Encoding: chunked\r\n" : ""}\r\n`);
    return {
      write: (chunk) => {
        const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
        if (bytes.length === 0) return true;
        if (!chunked) return connection.write(bytes);
        return connection.write(Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, lineBreak]));
      },
      end: () => {
        if (this.#outcome !== "streaming") return;
        this.#outcome = "complete";
        if (chunked) void connection.write("0\r\n\r\n");
      },
    };
  }

  /** As `stream`, for another process to write the body. Undefined, and nothing is sent, where it goes through TLS. */
  async lend(status: number, contentType: string): Promise<LentAnswer | undefined> {
    const connection = this.#connection;
    if (!connection.lendable) return undefined;
    const body = this.stream(status, contentType);
    await connection.drained();
    return {
      get fd() {
        return connection.fd;
      },
      chunked: this.#request.minor === 1,
      end: () => body.end(),
    };
  }

  /**
   * Hands the connection over: `101 UPGRADED` to a client that asked for it with `Upgrade`, else `200 OK` with a
   * body that lasts as long as the connection, as Engine API clients before 1.20 know it. Without a content type the
   * protocol that follows is not HTTP's to describe.
   */
  hijack(contentType?: string): HijackedConnection {
    const upgrade = this.#request.headers.get("upgrade");
    this.#keepAlive = false;
    this.#outcome = "hijacked";
    this.status = upgrade === undefined ? 200 : 101;
    const extra = this.#headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    const head =
      upgrade === undefined
        ? "HTTP/1.1 200 OK\r\n"
        : `HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\n`;
    const type = contentType === undefined ? "" : `Content-Type: ${contentType}\r\n`;
    void this.#connection.write(`${head}${type}${extra}\r\n`);
    const connection = this.#connection;
    const { body } = this.#request;
    if (body.done || (upgrade !== undefined && !body.sized)) return connection;
    return {
      // A client without `Upgrade` sends what it types as a chunked request body.
      readable: body.sized ? following(body, connection) : body,
      write: (chunk) => connection.write(chunk),
      end: () => connection.end(),
      destroy: () => connection.destroy(),
      closed: connection.closed,
    };
  }

  /** Drops the connection, whatever was sent. */
  cut(): void {
    this.#connection.destroy();
  }

  #head(status: number, contentType: string | undefined): string {
    if (this.#outcome !== "open") throw new Error("the response was sent already");
    this.status = status;
    // What the client still wants to send is not worth reading: answer, then close.
    if (this.#request.body.remaining > maxUnreadBody) this.#keepAlive = false;
    let head = `HTTP/1.1 ${status} ${reasons[status] ?? "Status"}\r\nDate: ${new Date().toUTCString()}\r\n`;
    for (const [name, value] of this.#headers) head += `${name}: ${value}\r\n`;
    if (contentType !== undefined) head += `Content-Type: ${contentType}\r\n`;
    if (!this.#keepAlive) head += "Connection: close\r\n";
    return head;
  }
}

/** What comes after a body that is of no use (dockerode repeats the query in it). */
async function* following(body: MessageBody, connection: SocketConnection): AsyncGenerator<Uint8Array> {
  while (!body.done) await body.read();
  yield* connection.readable;
}

/** How much of an unread request body is skipped to keep the connection. */
const maxUnreadBody = 256 * 1024;
const archiveTypes: readonly string[] = ["application/x-tar", "application/zstd"];
const lineBreak = Buffer.from("\r\n");
const reasons: Readonly<Record<number, string>> = {
  200: "OK",
  201: "Created",
  204: "No Content",
  304: "Not Modified",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  409: "Conflict",
  413: "Request Entity Too Large",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
};

/** Parses the body's framing and answers `Expect: 100-continue` when the body is first asked for. */
export function newRequest(connection: SocketConnection, head: RequestHead): HttpRequest {
  const body = new MessageBody(connection, requestFraming(head.headers));
  if (head.headers.get("expect")?.toLowerCase() === "100-continue") {
    body.onFirstRead = () => void connection.write("HTTP/1.1 100 Continue\r\n\r\n");
  }
  return new HttpRequest(head, body);
}
