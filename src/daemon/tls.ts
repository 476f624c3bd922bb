/** Certificates of the daemon's tcp sockets. */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { EngineError, errorMessage } from "#lib/errors.ts";
import type { ServerTls } from "#lib/http/server.ts";
import type { Configuration } from "./configuration.ts";

/** Undefined without TLS. Throws kind "invalid" where a file cannot be read. */
export function readTls(configuration: Configuration): ServerTls | undefined {
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
  return {
    cert: read(tlscert, "cert.pem", "the TLS certificate"),
    key: read(tlskey, "key.pem", "the key of the TLS certificate"),
    ...(tlsverify && { ca: read(tlscacert, "ca.pem", "the CA certificate") }),
  };
}
