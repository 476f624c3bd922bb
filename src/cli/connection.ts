/** Speaks the Engine API for the command line, over Bun's own sockets: node:http would double the start-up time. */
import { ExitError } from "./errors.ts";
import { Hijacked, hijack, type Endpoint } from "./hijacked.ts";
import { openTunnel } from "./ssh.ts";
import { type ClientTls, tlsOptions } from "./tls.ts";

/** The version we ask for until a daemon says that it is older. */
const newestApi = "1.50";

export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
export type Method = "GET" | "HEAD" | "POST" | "PUT" | "DELETE";

export interface RequestOptions {
  /** Absent values and `false` are left out; a list repeats its key. */
  readonly query?: Query;
  /** A plain object goes as JSON, anything else as it is. */
  readonly body?: object | ReadableStream<Uint8Array> | Blob;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** The daemon refused: its message, in Docker's form for the user. */
export class DaemonError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(`Error response from daemon: ${message}`);
    this.name = "DaemonError";
    this.status = status;
  }
}

/** One daemon, reached anew by each request; nothing to close. */
export class Connection {
  readonly host: string;
  readonly #endpoint: Endpoint;
  #version: string;
  #settled: boolean;

  /**
   * `host` is `unix://PATH`, `tcp://HOST:PORT`, there over TLS with `tls`, or `ssh://[USER@]HOST[:PORT]`; throws
   * ExitError for any other.
   */
  constructor(host: string, version: string | undefined, tls?: ClientTls) {
    this.host = host;
    this.#endpoint = host.startsWith("ssh://") ? { unix: openTunnel(host) } : parseHost(host, tls);
    this.#version = version || newestApi;
    this.#settled = Boolean(version);
  }

  /** The API version that requests ask for. */
  get version(): string {
    return this.#version;
  }

  /** The answer's JSON. Rejects with DaemonError, or ExitError where no daemon answers. */
  async json<T>(method: Method, path: string, options: RequestOptions = {}): Promise<T> {
    return (await this.send(method, path, options)).json() as Promise<T>;
  }

  /** Resolves once the answer's head is there; the caller reads or cancels its body. Rejects as `json` does. */
  async send(method: Method, path: string, options: RequestOptions = {}): Promise<Response> {
    // A stream can be sent only once, so the version must be right at the first try.
    if (options.body instanceof ReadableStream) await this.#settle();
    const response = await this.#fetch(method, `/v${this.#version}${path}`, options);
    if (response.ok || response.status === 304) return response;
    const message = await errorOf(response);
    if (!this.#settled && response.status === 400 && (await this.#agree(message)))
      return this.send(method, path, options);
    throw new DaemonError(response.status, message);
  }

  /** Turns a request into a two-way stream. Rejects as `json` does. */
  async hijack(path: string, { query, body }: Pick<RequestOptions, "query" | "body"> = {}): Promise<Hijacked> {
    const attempt = () =>
      this.#reach(() =>
        hijack(
          this.#endpoint,
          `/v${this.#version}${path}${search(query)}`,
          body === undefined ? undefined : JSON.stringify(body),
        ),
      );
    let answer = await attempt();
    if (!(answer instanceof Hijacked) && !this.#settled && answer.status === 400 && (await this.#agree(answer.message)))
      answer = await attempt();
    if (answer instanceof Hijacked) return answer;
    throw new DaemonError(answer.status, answer.message);
  }

  /** Joins two streams with the daemon's socket, whatever they speak. Rejects with ExitError where none answers. */
  async dial(input: AsyncIterable<Uint8Array>, output: (chunk: Uint8Array) => void): Promise<void> {
    const { dial } = await import("./dialing.ts");
    await this.#reach(() => dial(this.#endpoint, input, output));
  }

  /** Headers of `/_ping`. */
  async ping(): Promise<Headers> {
    const response = await this.#fetch("HEAD", "/_ping", {});
    return response.headers;
  }

  async #settle(): Promise<void> {
    if (!this.#settled) await this.#agree(undefined);
  }

  /** Lowers the version to the daemon's; false when `complaint` is about something else. */
  async #agree(complaint: string | undefined): Promise<boolean> {
    if (complaint !== undefined && !/version .* is too new/.test(complaint)) return false;
    const offered = (await this.ping()).get("api-version") ?? "1.24";
    this.#settled = true;
    if (older(offered, this.#version)) this.#version = offered;
    return true;
  }

  #fetch(method: Method, path: string, { query, body, headers, signal }: RequestOptions): Promise<Response> {
    const plain = body !== undefined && !(body instanceof ReadableStream) && !(body instanceof Blob);
    const init: BunFetchRequestInit & { timeout: false } = {
      method,
      headers: { ...(plain ? { "Content-Type": "application/json" } : {}), ...headers },
      // An answer may take as long as a container runs.
      timeout: false,
      ...(body === undefined ? {} : { body: plain ? JSON.stringify(body) : body }),
      ...(signal ? { signal } : {}),
      ...("unix" in this.#endpoint ? { unix: this.#endpoint.unix } : {}),
      ...("tls" in this.#endpoint && this.#endpoint.tls ? { tls: tlsOptions(this.#endpoint.tls) } : {}),
    };
    const scheme = "tls" in this.#endpoint ? "https" : "http";
    const origin =
      "unix" in this.#endpoint ? "http://berth" : `${scheme}://${this.#endpoint.hostname}:${this.#endpoint.port}`;
    return this.#reach(() => fetch(`${origin}${path}${search(query)}`, init));
  }

  async #reach<T>(attempt: () => Promise<T>): Promise<T> {
    try {
      return await attempt();
    } catch (error) {
      const code = (error as { code?: string }).code ?? "";
      if (code === "EACCES" || code === "EPERM") {
        throw new ExitError(1, `permission denied while trying to connect to the Berth daemon at ${this.host}`, {
          cause: error,
        });
      }
      if (!unreachable.has(code)) throw error;
      throw new ExitError(1, `Cannot connect to the Berth daemon at ${this.host}. Is the berth daemon running?`, {
        cause: error,
      });
    }
  }
}

const unreachable = new Set([
  "ConnectionRefused",
  "FailedToOpenSocket",
  "ENOENT",
  "ECONNREFUSED",
  "ENOTFOUND",
  "EHOSTUNREACH",
  "ENOTSOCK",
]);

function parseHost(host: string, tls: ClientTls | undefined): Endpoint {
  const unix = /^unix:\/\/(.+)$/.exec(host)?.[1];
  if (unix) return { unix };
  const tcp = /^(?:(?:tcp|http):\/\/)?(\[[^\]]+\]|[^:/]*)(?::(\d+))?\/?$/.exec(host);
  if (tcp) return { hostname: tcp[1] || "127.0.0.1", port: Number(tcp[2] ?? (tls ? 2376 : 2375)), ...(tls && { tls }) };
  throw new ExitError(
    1,
    `unable to parse berth host \`${host}\`: it must be unix://PATH, tcp://HOST:PORT or ssh://HOST`,
  );
}

function older(a: string, b: string): boolean {
  const [majorA = 0, minorA = 0] = a.split(".").map(Number);
  const [majorB = 0, minorB = 0] = b.split(".").map(Number);
  return majorA < majorB || (majorA === majorB && minorA < minorB);
}

async function errorOf(response: Response): Promise<string> {
  const text = await response.text();
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    if (typeof message === "string") return message;
  } catch {
    // Not JSON: an old daemon or a proxy answered; its text is all there is.
  }
  return text.trim() || `${response.status} ${response.statusText}`;
}

function search(query: Query = {}): string {
  const pairs = Object.entries(query).flatMap(([key, value]) => {
    if (value === undefined || value === false) return [];
    if (typeof value === "object") return value.map((item) => `${key}=${encodeURIComponent(item)}`);
    return [`${key}=${value === true ? 1 : encodeURIComponent(value)}`];
  });
  return pairs.length > 0 ? `?${pairs.join("&")}` : "";
}

/** The `filters` parameter; absent without any. */
export function filterQuery(filters: Readonly<Record<string, readonly string[]>>): string | undefined {
  const keys = Object.entries(filters);
  if (keys.length === 0) return undefined;
  return JSON.stringify(
    Object.fromEntries(keys.map(([key, values]) => [key, Object.fromEntries(values.map((item) => [item, true]))])),
  );
}

/** The JSON texts of a stream, one per line, as they come. */
export async function* jsonLines(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of response.body ?? []) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") yield line;
  }
  if (rest.trim() !== "") yield rest;
}
