/** Certificates of the daemon's tcp sockets. */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { EngineError, errorMessage } from "#lib/errors.ts";
import type { ServerTls } from "#lib/http/server.ts";
import type { Configuration } from "./configuration.ts";

/** Undefined without TLS. Rejects with kind "invalid" where a file cannot be read or used. */
export async function readTls(configuration: Configuration): Promise<ServerTls | undefined> {
  const { tls, tlsverify, tlscacert, tlscert, tlskey } = configuration;
  if (!tls) return undefined;
  const folder = process.env["DOCKER_CERT_PATH"] || join(homedir(), ".docker");
  const read = (file: string, name: string, what: string): string => {
    const path = file || join(folder, name);
    try {
      return readFileSync(path, "utf8");
    } catch (cause) {
      throw new EngineError("invalid", `could not load ${what} (${path}): ${errorMessage(cause)}`, { cause });
    }
  };
  const files: ServerTls = {
    cert: read(tlscert, "cert.pem", "the TLS certificate"),
    key: read(tlskey, "key.pem", "the key of the TLS certificate"),
    ...(tlsverify && { ca: read(tlscacert, "ca.pem", "the CA certificate") }),
  };
  // Before any socket is touched: one that is opened with certificates that cannot be is not closed again.
  const { createSecureContext } = await import("node:tls");
  try {
    createSecureContext({ ...files });
  } catch (cause) {
    throw new EngineError("invalid", `could not use the TLS certificates: ${errorMessage(cause)}`, { cause });
  }
  return files;
}
