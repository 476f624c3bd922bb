/** Reads one repository of a registry without credentials: manifests, blobs, tags (OCI distribution-spec, "Pull"). */
import { setTimeout as sleep } from "node:timers/promises";
import { EngineError } from "#lib/errors.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { type Digest, digestAlgorithm, digestOf, isDigest } from "#oci/digest.ts";
import { manifestAccept } from "#oci/media-type.ts";
import type { Reference } from "#oci/reference.ts";
import { TokenSource } from "./challenge.ts";
import { candidates, type Endpoint, ping } from "./endpoint.ts";
import { errorOf, isTransient, RegistryError } from "./errors.ts";
import { HttpTransport, type TransportOptions } from "./transport.ts";

export interface RegistryOptions extends TransportOptions {
  /** Asked before docker.io itself: base URLs or hosts. */
  readonly mirrors?: readonly string[];
  /** How many layers of one image come at a time; default 3. */
  readonly parallelDownloads?: number;
  /** How often a failed download is tried in all; default 5. */
  readonly attempts?: number;
  /** Milliseconds to wait before attempt n (from 1); default 1 s doubled each time, at most 15 s. */
  readonly backoff?: (attempt: number) => number;
  /** Longest `Retry-After` that is waited for, in milliseconds; default 60,000. A longer one is an error at once. */
  readonly maximumWait?: number;
}

export interface FetchedManifest {
  readonly bytes: Uint8Array;
  /** As served; "" where the server said nothing. */
  readonly mediaType: string;
  /** Of the bytes. */
  readonly digest: Digest;
}

const documentLimit = 4 * 1024 * 1024;

export class RegistryClient {
  #options: RegistryOptions;
  #http: HttpTransport;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#http = new HttpTransport(options);
  }

  get options(): RegistryOptions {
    return this.#options;
  }

  /** For what is asked from now on. */
  configure(options: RegistryOptions): void {
    this.#options = options;
    this.#http = new HttpTransport(options);
  }

  /** The places that hold `reference`, best first; each is asked only once it is iterated to. */
  async *repositories(reference: Reference, signal?: AbortSignal): AsyncGenerator<Repository> {
    const places = candidates(reference.domain, this.#options.mirrors ?? []);
    for (const { base, mirror } of places) {
      let endpoint: Endpoint;
      try {
        endpoint = await ping(this.#http, base, mirror, signal);
      } catch (error) {
        signal?.throwIfAborted();
        if (mirror) continue; // a mirror that is down must not stop a pull
        throw error;
      }
      yield new Repository(this.#http, endpoint, reference.path, this.#options);
    }
  }
}

export class Repository {
  readonly endpoint: Endpoint;
  readonly path: string;
  readonly #http: HttpTransport;
  readonly #tokens: TokenSource;
  readonly #options: RegistryOptions;

  constructor(http: HttpTransport, endpoint: Endpoint, path: string, options: RegistryOptions) {
    this.endpoint = endpoint;
    this.path = path;
    this.#http = http;
    this.#tokens = new TokenSource(http);
    this.#options = options;
  }

  /** Milliseconds without a byte after which a transfer counts as dead. */
  get stallTimeout(): number {
    return this.#http.stallTimeout;
  }

  /** By tag or digest. Rejects with a RegistryError, or "invalid" where the bytes are not the digest asked for. */
  manifest(tagOrDigest: string, signal?: AbortSignal): Promise<FetchedManifest> {
    return this.retry(async () => {
      const response = await this.get(`manifests/${tagOrDigest}`, { accept: manifestAccept.join(", ") }, signal);
      const bytes = await readLimited(response, documentLimit);
      const digest = isDigest(tagOrDigest) ? digestOf(bytes, digestAlgorithm(tagOrDigest)) : digestOf(bytes);
      if (isDigest(tagOrDigest) && digest !== tagOrDigest) {
        throw new EngineError(
          "invalid",
          `manifest verification failed for digest ${tagOrDigest}: its content is ${digest}`,
        );
      }
      return { bytes, digest, mediaType: response.headers.get("content-type")?.split(";")[0]?.trim() ?? "" };
    }, signal);
  }

  /** A small blob (a config) in memory, at most 4 MiB. Rejects "invalid" where it is not what the descriptor says. */
  document({ digest, size }: Descriptor, signal?: AbortSignal): Promise<Uint8Array> {
    return this.retry(async () => {
      const response = await this.get(`blobs/${digest}`, {}, signal);
      const bytes = await readLimited(response, documentLimit);
      const actual = digestOf(bytes, digestAlgorithm(digest));
      if (bytes.length < size)
        throw new EngineError("unavailable", `unexpected EOF: ${bytes.length} of ${size} bytes of ${digest} arrived`);
      if (actual !== digest)
        throw new EngineError(
          "invalid",
          `image config verification failed for digest ${digest}: its content is ${actual}`,
        );
      return bytes;
    }, signal);
  }

  /** All tags, page by page (`Link: …; rel="next"`). */
  async tags(signal?: AbortSignal): Promise<string[]> {
    const tags: string[] = [];
    let next: string | undefined = "tags/list";
    while (next !== undefined) {
      const path: string = next;
      const page = await this.retry(async () => {
        const response = await this.get(path, {}, signal);
        const link = /<([^>]+)>\s*;[^,]*rel="?next"?/.exec(response.headers.get("link") ?? "")?.[1];
        return { body: (await response.json()) as { tags?: string[] | null }, link };
      }, signal);
      tags.push(...(page.body.tags ?? []));
      next = page.link;
    }
    return tags;
  }

  /** One request, with a token where the registry wants one. Resolves only for 2xx. The caller consumes the body. */
  async get(path: string, headers: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<Response> {
    const root = new URL(`v2/${this.path}/`, this.endpoint.base);
    const url = new URL(path, root);
    for (let fresh = false; ; fresh = true) {
      const response = await this.#http.send(
        "GET",
        url,
        { ...headers, ...(await this.#authorization(signal)) },
        signal,
      );
      if (response.ok) return response;
      if (response.status !== 401 || fresh || this.endpoint.challenge === undefined)
        throw await this.#refusal(response, signal);
      await response.body?.cancel();
      this.#tokens.clear(); // it may have expired early: once more with a new one
    }
  }

  async #authorization(signal?: AbortSignal): Promise<Record<string, string>> {
    const { challenge } = this.endpoint;
    if (challenge === undefined) return {};
    return { authorization: `Bearer ${await this.#tokens.get(challenge, `repository:${this.path}:pull`, signal)}` };
  }

  /** The error of an answer; waits first where the server said when to come back, so that `retry` may go on. */
  async #refusal(response: Response, signal?: AbortSignal): Promise<RegistryError> {
    const error = await errorOf(response);
    const after = retryAfter(response.headers.get("retry-after"));
    if (response.status !== 429 || after === undefined) return error;
    if (after > (this.#options.maximumWait ?? 60_000)) {
      const seconds = Math.ceil(after / 1000);
      return new RegistryError(
        "unavailable",
        `${error.message} (the registry says to retry after ${seconds} s)`,
        429,
        error.code,
      );
    }
    await sleep(after, undefined, { ...(signal !== undefined && { signal }) });
    return new RegistryError("unavailable", error.message, 503, error.code);
  }

  /** Runs `work` again after transient failures; `onRetry` hears of each wait in milliseconds. */
  async retry<T>(work: () => Promise<T>, signal?: AbortSignal, onRetry?: (wait: number) => void): Promise<T> {
    const attempts = this.#options.attempts ?? 5;
    const backoff = this.#options.backoff ?? ((attempt: number) => Math.min(15_000, 1000 * 2 ** (attempt - 1)));
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        signal?.throwIfAborted();
        if (attempt >= attempts || !isTransient(error)) throw error;
        const wait = backoff(attempt);
        onRetry?.(wait);
        await sleep(wait, undefined, { ...(signal !== undefined && { signal }) });
      }
    }
  }
}

/** RFC 9110, section 10.2.3: seconds or a date; milliseconds from now. */
function retryAfter(value: string | null): number | undefined {
  if (value === null) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

async function readLimited(response: Response, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > limit)
      throw new EngineError("invalid", `the registry sent more than ${limit} bytes where a document was expected`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
