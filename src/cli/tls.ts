/** Certificates for the way to a daemon over TLS. */
import { readFileSync } from "node:fs";
import { ExitError } from "./errors.ts";

/** PEM texts. */
export interface ClientTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Whether the daemon's certificate must be signed by `ca` (or one that the system trusts) and be for its host. */
  readonly verify: boolean;
}

/** The options that Bun's `fetch` and `connect` take for it. */
export function tlsOptions({ ca, cert, key, verify }: ClientTls) {
  return {
    rejectUnauthorized: verify,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
}

/** A file of `folder` that need not be there, or, by `named`, one that must. Throws ExitError. */
export function readPem(named: string, folder: string, name: string): string | undefined {
  try {
    return readFileSync(named || `${folder}/${name}`, "utf8");
  } catch (cause) {
    if (named === "" && (cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new ExitError(1, `could not read ${named || `${folder}/${name}`}: ${(cause as Error).message}`, { cause });
  }
}

/** Both halves of a client's own certificate or neither. Throws ExitError. */
export function readClientTls(
  named: { readonly ca: string; readonly cert: string; readonly key: string },
  folder: string,
  verify: boolean,
): ClientTls {
  const ca = readPem(named.ca, folder, "ca.pem");
  const cert = readPem(named.cert, folder, "cert.pem");
  const key = readPem(named.key, folder, "key.pem");
  if ((cert === undefined) !== (key === undefined)) {
    throw new ExitError(1, `a TLS certificate and its key belong together: one of them is missing in ${folder}`);
  }
  return { verify, ...(ca !== undefined && { ca }), ...(cert !== undefined && key !== undefined && { cert, key }) };
}
