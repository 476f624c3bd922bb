/** The anonymous token flow: reads a registry's challenge and fetches a bearer token for a scope. */
import { EngineError } from "#lib/errors.ts";
import { errorOf } from "./errors.ts";
import type { HttpTransport } from "./transport.ts";

/** One challenge of a `WWW-Authenticate` header (RFC 9110, section 11.6.1); the scheme in lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Reads all challenges of a header; what is malformed is skipped. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  const token = /\s*,?\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/y;
  for (;;) {
    const match = token.exec(header);
    if (match === null) return challenges;
    const [, name = "", quoted, plain] = match;
    if (quoted === undefined && plain === undefined) {
      challenges.push({ scheme: name.toLowerCase(), parameters: {} });
      continue;
    }
    const last = challenges.at(-1);
    if (last !== undefined) last.parameters[name.toLowerCase()] = quoted?.replaceAll(/\\(.)/g, "$1") ?? plain ?? "";
  }
}

interface Token {
  readonly value: string;
  /** Unix milliseconds. */
  readonly expires: number;
}

/** Bearer tokens by realm, service and scope, kept until shortly before they expire. */
export class TokenSource {
  readonly #http: HttpTransport;
  readonly #tokens = new Map<string, Promise<Token>>();

  constructor(http: HttpTransport) {
    this.#http = http;
  }

  /** Concurrent callers share one request. Rejects as the token server refuses. */
  async get(challenge: Challenge, scope: string, signal?: AbortSignal): Promise<string> {
    const { realm, service } = challenge.parameters;
    if (realm === undefined || !URL.canParse(realm)) {
      throw new EngineError("unavailable", "the registry asks for a token but names no usable realm");
    }
    const url = new URL(realm);
    if (service !== undefined) url.searchParams.set("service", service);
    url.searchParams.set("scope", scope);
    const known = await this.#tokens.get(url.href)?.catch(() => undefined);
    if (known !== undefined && known.expires > Date.now()) return known.value;
    const request = this.#fetch(url, signal);
    this.#tokens.set(url.href, request);
    try {
      return (await request).value;
    } catch (error) {
      this.#tokens.delete(url.href);
      throw error;
    }
  }

  /** Forgets everything: a token was refused before its time. */
  clear(): void {
    this.#tokens.clear();
  }

  async #fetch(url: URL, signal?: AbortSignal): Promise<Token> {
    const response = await this.#http.send("GET", url, {}, signal);
    if (!response.ok) throw await errorOf(response);
    const answer = (await response.json()) as { token?: unknown; access_token?: unknown; expires_in?: unknown };
    const value = answer.token ?? answer.access_token;
    if (typeof value !== "string" || value === "") {
      throw new EngineError("unavailable", "authorization server did not include a token in the response");
    }
    const seconds = typeof answer.expires_in === "number" ? Math.max(answer.expires_in, 60) : 60;
    return { value, expires: Date.now() + (seconds - 15) * 1000 };
  }
}
