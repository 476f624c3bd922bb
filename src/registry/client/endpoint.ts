/** Where a registry is: its mirrors, its scheme, and what it asks of a client. */
import { EngineError } from "#lib/errors.ts";
import { defaultDomain } from "#oci/reference.ts";
import { parseChallenges, type Challenge } from "./challenge.ts";
import { errorOf } from "./errors.ts";
import type { HttpTransport } from "./transport.ts";

/** A place that answered to `/v2/`. */
export interface Endpoint {
  /** With a trailing slash: `https://registry-1.docker.io/`. */
  readonly base: URL;
  readonly mirror: boolean;
  /** Absent where anybody may read without a token. */
  readonly challenge?: Challenge;
}

const hubHost = "registry-1.docker.io";

/** The base URLs to try for a domain, best first: mirrors (docker.io only), then the registry itself. */
export function candidates(domain: string, mirrors: readonly string[]): { base: URL; mirror: boolean }[] {
  if (domain !== defaultDomain) return [{ base: new URL(`https://${domain}/`), mirror: false }];
  const found = mirrors.map((mirror) => ({ base: mirrorUrl(mirror), mirror: true }));
  return [...found, { base: new URL(`https://${hubHost}/`), mirror: false }];
}

function mirrorUrl(mirror: string): URL {
  const text = mirror.includes("://") ? mirror : `https://${mirror}`;
  if (!URL.canParse(text))
    throw new EngineError("invalid", `invalid mirror: unable to parse ${JSON.stringify(mirror)}`);
  const url = new URL(text);
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

/**
 * Asks `/v2/` (distribution-spec, "Determining Support"). A host that may be insecure is asked by http where https
 * brings no connection. Rejects with kind "unavailable", naming the last address tried, as Docker does.
 */
export async function ping(http: HttpTransport, base: URL, mirror: boolean, signal?: AbortSignal): Promise<Endpoint> {
  const bases = [base];
  if (base.protocol === "https:" && http.isInsecure(base.host)) {
    const plain = new URL(base);
    plain.protocol = "http:";
    // A port left out means another one now.
    bases.push(plain);
  }
  let failure: unknown;
  for (const candidate of bases) {
    let response: Response;
    try {
      response = await http.send("GET", new URL("v2/", candidate), {}, signal);
    } catch (error) {
      signal?.throwIfAborted();
      failure = error;
      continue;
    }
    if (response.ok) {
      await response.body?.cancel();
      return { base: candidate, mirror };
    }
    const challenge = parseChallenges(response.headers.get("www-authenticate") ?? "").find(
      ({ scheme }) => scheme === "bearer",
    );
    if (response.status !== 401) throw await errorOf(response);
    if (challenge === undefined) {
      // Not "unauthorized": to that the docker CLI answers by asking for a password, which nobody would use yet.
      throw new EngineError("forbidden", `Get "${new URL("v2/", candidate).href}": no basic auth credentials`);
    }
    await response.body?.cancel();
    return { base: candidate, mirror, challenge };
  }
  throw failure;
}
