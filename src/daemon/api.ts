/** What every request to the Engine API passes: version, routing, errors, the log line. */
import type { ZodType } from "zod";
import { decodeWith } from "#api/schemas/decode.ts";
import { parseJsonBody } from "#api/schemas/json-text.ts";
import { EngineError, errorKind, errorMessage } from "#lib/errors.ts";
import type { HttpRequest, HttpResponse } from "#lib/http/exchange.ts";
import type { Router } from "#lib/http/router.ts";
import type { Logger } from "#lib/log.ts";
import { tellableFailure } from "./failure.ts";
import { Query } from "./query.ts";
import { statusOfKind } from "./status.ts";

export const apiVersion = "1.50";
export const minApiVersion = "1.22";

/** Largest JSON body that is read. Bytes. */
const maxJsonBody = 16 * 1024 * 1024;

/** One request on its way to a route. */
export class Exchange {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  /** The version in the path, or ours. */
  readonly version: string;

  constructor(request: HttpRequest, response: HttpResponse, params: Readonly<Record<string, string>>, version: string) {
    this.request = request;
    this.response = response;
    this.params = params;
    this.query = new Query(request.query);
    this.version = version;
  }

  /** A name in the path. */
  param(name: string): string {
    const value = this.params[name];
    if (value === undefined) throw new Error(`the route has no {${name}}`);
    return value;
  }

  json(status: number, value: unknown): void {
    this.response.send(status, `${JSON.stringify(value)}\n`, "application/json");
  }

  noContent(): void {
    this.response.send(204);
  }

  /**
   * The JSON body through `schema`; undefined where there is none. As for Go's decoder, `null` has no field set.
   * Rejects with kind "invalid" in Docker's words.
   */
  async body<T>(schema: ZodType<T>): Promise<T | undefined> {
    const { body, headers } = this.request;
    const type = headers.get("content-type");
    // Without a body nothing need say what it is.
    if (type !== undefined || !body.done) checkContentType(type ?? "");
    if (body.done) return undefined;
    const text = await body.text(maxJsonBody);
    if (text.trim() === "") throw new EngineError("invalid", "invalid JSON: got EOF while reading request body");
    return decodeWith(schema, parseJsonBody(text) ?? {});
  }

  /** As `body`, for endpoints that take no body for one with no field set. */
  async fields<T>(schema: ZodType<T>): Promise<T> {
    return (await this.body(schema)) ?? decodeWith(schema, {});
  }

  async requiredBody<T>(schema: ZodType<T>): Promise<T> {
    const value = await this.body(schema);
    if (value === undefined) throw new EngineError("invalid", "invalid JSON: got EOF while reading request body");
    return value;
  }
}

export type RouteHandler = (exchange: Exchange) => Promise<void> | void;
export type ApiRouter = Router<RouteHandler>;

/** A request with its answer's status; `path` as it was asked for. */
export interface Observed {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly milliseconds: number;
}

export interface ApiOptions {
  readonly log: Logger;
  /** Of the Server header: `Berth/0.1.0 (linux)`. */
  readonly product: string;
  /** Named where it is full. */
  readonly dataRoot: string;
  /** Called as requests begin and end. */
  readonly onActivity: () => void;
  /** Called when a request is over. */
  readonly observe?: (request: Observed) => void;
}

/** The handler of an HttpServer. Never throws. */
export class Api {
  readonly #router: ApiRouter;
  readonly #options: ApiOptions;

  constructor(router: ApiRouter, options: ApiOptions) {
    this.#router = router;
    this.#options = options;
  }

  async handle(request: HttpRequest, response: HttpResponse): Promise<void> {
    const started = performance.now();
    this.#options.onActivity();
    response.setHeader("Api-Version", apiVersion);
    response.setHeader("Docker-Experimental", "false");
    response.setHeader("Ostype", "linux");
    response.setHeader("Server", this.#options.product);
    let failure: unknown;
    try {
      await this.#dispatch(request, response);
    } catch (thrown) {
      const error = isAbandonment(thrown, request)
        ? new EngineError("invalid", "the client closed the request before it was done", { cause: thrown })
        : tellableFailure(thrown, this.#options.dataRoot);
      failure = error;
      if (response.outcome === "open") {
        const status = statusOfKind[errorKind(error)];
        response.send(
          status,
          status === 304 ? "" : `${JSON.stringify({ message: errorMessage(error) })}\n`,
          "application/json",
        );
      } else if (response.outcome === "hijacked") {
        // Nothing that could be written now would be understood; the end is.
        response.cut();
      }
    }
    const milliseconds = performance.now() - started;
    this.#record(request, response, milliseconds, failure);
    const { method, path } = request;
    this.#options.observe?.({ method, path, status: response.status, milliseconds });
    this.#options.onActivity();
  }

  async #dispatch(request: HttpRequest, response: HttpResponse): Promise<void> {
    const { version, path } = splitVersion(request.path);
    const match = this.#router.match(request.method, path);
    if (request.method === "OPTIONS") return response.send(200);
    if (match === undefined) throw new EngineError("not-found", "page not found");
    if (version !== undefined) checkVersion(version);
    await match.handler(new Exchange(request, response, match.params, version ?? apiVersion));
  }

  #record(request: HttpRequest, response: HttpResponse, duration: number, failure: unknown): void {
    const fields = {
      method: request.method,
      path: request.path,
      status: response.status,
      ms: Math.round(duration * 100) / 100,
      ...(failure === undefined ? {} : { error: errorMessage(failure) }),
    };
    if (response.status >= 500 && response.status !== 501) {
      this.#options.log.error({ ...fields, err: failure }, "request failed");
    } else if (request.method === "GET" || request.method === "HEAD") this.#options.log.debug(fields, "request");
    else this.#options.log.info(fields, "request");
  }
}

/** The client left, or shut down its half, and the work ended for that. */
function isAbandonment(thrown: unknown, request: HttpRequest): boolean {
  if (!request.signal.aborted) return false;
  let error = thrown;
  while (error instanceof Error && error.name !== "AbortError") error = error.cause;
  return error instanceof Error;
}

/** `/v1.41/info` is `/info` at 1.41. */
export function splitVersion(path: string): { version: string | undefined; path: string } {
  const match = /^\/v(\d+(?:\.\d+)*)(?=\/)/.exec(path);
  return match === null ? { version: undefined, path } : { version: match[1], path: path.slice(match[0].length) };
}

function checkContentType(type: string): void {
  const media = type.split(";")[0]?.trim().toLowerCase() ?? "";
  if (media === "") throw new EngineError("invalid", `malformed Content-Type header (${type}): mime: no media type`);
  if (media === "application/json") return;
  throw new EngineError("invalid", `unsupported Content-Type header (${type}): must be 'application/json'`);
}

function checkVersion(version: string): void {
  if (compareVersions(version, minApiVersion) < 0) {
    throw new EngineError(
      "invalid",
      `client version ${version} is too old. Minimum supported API version is ${minApiVersion}, please upgrade your client to a newer version`,
    );
  }
  if (compareVersions(version, apiVersion) > 0) {
    throw new EngineError(
      "invalid",
      `client version ${version} is too new. Maximum supported API version is ${apiVersion}`,
    );
  }
}

/** Negative where `a` is older than `b`. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split(".").map(Number), b.split(".").map(Number)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
