/** HTTP as registries need it: redirects followed without leaking tokens, insecure hosts, stalls noticed. */
import { isIP } from "node:net";
import { EngineError } from "#lib/errors.ts";
import { connectionError } from "./errors.ts";

export interface TransportOptions {
  readonly userAgent: string;
  /** Hosts (with or without port) and IPv4 networks (`10.0.0.0/8`) that may speak plain http or show any certificate. */
  readonly insecureRegistries?: readonly string[];
  /** Milliseconds without a byte of the answer after which a request is given up; default 60,000. */
  readonly stallTimeout?: number;
}

const maximumRedirects = 10;

/** Proxies come from HTTP_PROXY, HTTPS_PROXY and NO_PROXY, as Bun reads them. */
export class HttpTransport {
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  get stallTimeout(): number {
    return this.#options.stallTimeout ?? 60_000;
  }

  /** As Docker: the loopback network and what is configured. */
  isInsecure(host: string): boolean {
    const name = host.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
    if (name === "localhost" || name === "::1" || inNetwork(name, "127.0.0.0/8")) return true;
    return (this.#options.insecureRegistries ?? []).some(
      (entry) => entry === host || entry === name || inNetwork(name, entry),
    );
  }

  /**
   * Sends a request without a body. The caller reads or cancels the answer's body. Rejects with kind "unavailable"
   * where no answer came, with the signal's reason once that is aborted. Any HTTP status resolves.
   */
  async send(
    method: "GET" | "HEAD",
    url: URL,
    headers: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<Response> {
    let target = url;
    let sent: Record<string, string> = { "user-agent": this.#options.userAgent, ...headers };
    for (let hops = 0; hops <= maximumRedirects; hops++) {
      const response = await this.#once(method, target, sent, signal);
      const location = response.headers.get("location");
      if (response.status < 300 || response.status > 399 || response.status === 304 || location === null)
        return response;
      await response.body?.cancel();
      const next = new URL(location, target);
      if (next.protocol !== "https:" && next.protocol !== "http:") break;
      if (next.host !== target.host || next.protocol !== target.protocol) {
        // Storage behind a registry refuses foreign tokens, and must not see ours.
        const { authorization: _, ...rest } = sent;
        sent = rest;
      }
      target = next;
    }
    throw new EngineError("unavailable", `${method} "${url.href}": stopped after ${maximumRedirects} redirects`);
  }

  async #once(method: string, url: URL, headers: Record<string, string>, signal?: AbortSignal): Promise<Response> {
    signal?.throwIfAborted();
    const stalled = new AbortController();
    const timer = setTimeout(() => stalled.abort(), this.stallTimeout);
    const both = signal === undefined ? stalled.signal : AbortSignal.any([signal, stalled.signal]);
    try {
      return await fetch(url, {
        method,
        headers,
        redirect: "manual",
        signal: both,
        timeout: false,
        ...(this.isInsecure(url.host) && { tls: { rejectUnauthorized: false } }),
      });
    } catch (cause) {
      signal?.throwIfAborted();
      if (stalled.signal.aborted) {
        const timeout = new EngineError(
          "unavailable",
          "net/http: request canceled while waiting for the answer (timeout exceeded)",
        );
        throw connectionError(method, url, timeout);
      }
      throw connectionError(method, url, cause);
    } finally {
      clearTimeout(timer);
    }
  }
}

function inNetwork(address: string, network: string): boolean {
  const [base = "", bits = ""] = network.split("/");
  if (isIP(address) !== 4 || isIP(base) !== 4 || !/^\d+$/.test(bits) || Number(bits) > 32) return false;
  const shift = 2 ** (32 - Number(bits));
  return Math.floor(ipv4(address) / shift) === Math.floor(ipv4(base) / shift);
}

function ipv4(address: string): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}
