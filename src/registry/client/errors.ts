/** Turns a registry's refusals and a network's failures into errors that read as Docker's. */
import { EngineError, type ErrorKind } from "#lib/errors.ts";
import { familiarName, familiarReference, type Reference } from "#oci/reference.ts";

/** An error answer of a registry; `code` is the distribution-spec's (`MANIFEST_UNKNOWN`, …) or "" where it gave none. */
export class RegistryError extends EngineError {
  readonly status: number;
  readonly code: string;

  constructor(kind: ErrorKind, message: string, status: number, code: string) {
    super(kind, message);
    this.name = "RegistryError";
    this.status = status;
    this.code = code;
  }
}

const kinds: Readonly<Record<string, ErrorKind>> = {
  UNAUTHORIZED: "unauthorized",
  DENIED: "forbidden",
  NAME_UNKNOWN: "not-found",
  MANIFEST_UNKNOWN: "not-found",
  BLOB_UNKNOWN: "not-found",
  NAME_INVALID: "invalid",
  TOOMANYREQUESTS: "unavailable",
};

/** Reads the error document of a response (distribution-spec, "Error Codes"); consumes at most 64 KiB of its body. */
export async function errorOf(response: Response): Promise<RegistryError> {
  const { status } = response;
  const text = await head(response, 64 * 1024);
  const first = firstError(text);
  const denied = /error="insufficient_scope"/.test(response.headers.get("www-authenticate") ?? "");
  if (denied) {
    return new RegistryError("forbidden", "denied: requested access to the resource is denied", status, "DENIED");
  }
  if (first !== undefined) {
    const words = first.code.toLowerCase().replaceAll("_", " ");
    return new RegistryError(
      kinds[first.code] ?? kindOfStatus(status),
      `${words}: ${first.message}`,
      status,
      first.code,
    );
  }
  if (status === 401) {
    return new RegistryError("unauthorized", "unauthorized: authentication required", status, "UNAUTHORIZED");
  }
  if (status === 429) {
    return new RegistryError("unavailable", "toomanyrequests: too many requests", status, "TOOMANYREQUESTS");
  }
  const reason = `${status} ${response.statusText}`.trim();
  return new RegistryError(kindOfStatus(status), `received unexpected HTTP status: ${reason}`, status, "");
}

function kindOfStatus(status: number): ErrorKind {
  if (status === 404) return "not-found";
  return status === 401 ? "unauthorized" : status === 403 ? "forbidden" : "unavailable";
}

function firstError(text: string): { code: string; message: string } | undefined {
  try {
    const { errors, details } = JSON.parse(text) as {
      errors?: { code?: unknown; message?: unknown }[];
      details?: unknown;
    };
    const error = errors?.[0];
    if (typeof error?.code === "string") {
      const message = typeof error.message === "string" && error.message !== "" ? error.message : error.code;
      return { code: error.code, message };
    }
    // Token servers of some registries answer with this instead.
    if (typeof details === "string") return { code: "UNAUTHORIZED", message: details };
  } catch {
    // Not JSON: the status has to do.
  }
  return undefined;
}

async function head(response: Response, limit: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body ?? []) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= limit) break;
    }
  } catch {
    // A broken error body changes nothing about the status.
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** What Docker says when the manifest of `reference` could not be had. */
export function describePullError(error: unknown, reference: Reference): unknown {
  if (!(error instanceof RegistryError)) return error;
  const { code, status, message } = error;
  const name = familiarName(reference);
  const say = (text: string): EngineError => new EngineError("not-found", `${text}: ${message}`, { cause: error });
  if (code === "DENIED" || code === "UNAUTHORIZED") {
    return say(`pull access denied for ${name}, repository does not exist or may require 'docker login'`);
  }
  if (code === "MANIFEST_UNKNOWN" || (code === "" && status === 404)) {
    return say(`manifest for ${familiarReference(reference)} not found`);
  }
  if (code === "NAME_UNKNOWN") return say(`repository ${name} not found`);
  return error;
}

/** A connection that never came about, worded as Go's net/http does: `Get "https://…/v2/": dial tcp …`. */
export function connectionError(method: string, url: URL, cause: unknown): EngineError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const what = `${method.charAt(0)}${method.slice(1).toLowerCase()} "${url.href}"`;
  const address = `${url.hostname}:${url.port || (url.protocol === "https:" ? "443" : "80")}`;
  const why =
    code === "ECONNREFUSED"
      ? `dial tcp ${address}: connect: connection refused`
      : code === "ENOTFOUND" || code === "EAI_AGAIN"
        ? `dial tcp: lookup ${url.hostname}: no such host`
        : code === "ETIMEDOUT"
          ? `dial tcp ${address}: i/o timeout`
          : cause instanceof Error
            ? cause.message
            : String(cause);
  return new EngineError("unavailable", `${what}: ${why}`, { cause });
}

/** Whether trying the same again may help. */
export function isTransient(error: unknown): boolean {
  if (error instanceof RegistryError) return error.status >= 500 || error.status === 408;
  return !(error instanceof EngineError) || error.kind === "unavailable";
}
