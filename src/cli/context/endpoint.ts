/** What `context create` and `context update` are told about the daemon: `--docker host=…,ca=…`. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { ExitError } from "../errors.ts";
import { parseBool } from "../go.ts";
import type { Flag } from "../flags.ts";
import type { Session } from "../session.ts";
import { type ContextMetadata, ContextStore, defaultContext, type TlsFiles } from "./store.ts";

/** `--docker`: `key=value` pairs between commas. */
export const dockerFlag: Flag<Readonly<Record<string, string>>> = {
  label: "stringToString",
  usage: "set the docker endpoint",
  initial: {},
  shown: "[]",
  set: (current, text) => ({
    ...current,
    ...Object.fromEntries(
      text.split(",").map((pair) => {
        const at = pair.indexOf("=");
        if (at < 0) throw new Error(`${pair} must be formatted as key=value`);
        return [pair.slice(0, at), pair.slice(at + 1)];
      }),
    ),
  }),
};

export interface DockerEndpoint {
  readonly endpoint: NonNullable<ContextMetadata["Endpoints"]["docker"]>;
  readonly tls: TlsFiles;
}

const files = { ca: "ca.pem", cert: "cert.pem", key: "key.pem" } as const;
const keys: readonly string[] = ["from", "host", "skip-tls-verify", ...Object.keys(files)];

/** Throws ExitError beginning with `complaint` for what cannot be. */
export function dockerEndpoint(
  session: Session,
  options: Readonly<Record<string, string>>,
  complaint: string,
): DockerEndpoint {
  const unknown = Object.keys(options).filter((key) => !keys.includes(key));
  if (unknown.length > 0) {
    const what = unknown.map((key) => `unrecognized config key: ${key}`).join("\n");
    throw new ExitError(1, `${complaint}: ${what}`);
  }
  if (options["from"]) return endpointOf(session, options["from"]);
  const tls: Record<string, string> = {};
  for (const [key, name] of Object.entries(files)) {
    const path = options[key];
    if (!path) continue;
    try {
      tls[name] = readFileSync(path, "utf8");
    } catch (cause) {
      throw new ExitError(1, `${complaint}: open ${path}: no such file or directory`, { cause });
    }
  }
  let skip = false;
  try {
    skip = options["skip-tls-verify"] !== undefined && parseBool(options["skip-tls-verify"]);
  } catch (cause) {
    const why = (cause as Error).message.replace(/^strconv\.ParseBool: /, "");
    throw new ExitError(1, `${complaint}: skip-tls-verify: ${why}`, { cause });
  }
  const problem = tlsProblem(tls);
  if (problem !== undefined) throw new ExitError(1, `${complaint}: invalid docker endpoint options: ${problem}`);
  const Host = options["host"] ?? "";
  if (Host !== "" && !/^(unix|tcp|https?|ssh):\/\//.test(Host)) {
    throw new ExitError(
      1,
      `${complaint}: unable to apply docker endpoint options: unable to parse docker host \`${Host}\``,
    );
  }
  return { endpoint: { Host, SkipTLSVerify: skip }, tls };
}

/** What makes the files useless, in Docker's words; half a pair is kept as it is. */
function tlsProblem({ "ca.pem": ca, "cert.pem": cert, "key.pem": key }: TlsFiles): string | undefined {
  const prefix = "failed to retrieve context tls info:";
  if (ca !== undefined && readPem(() => new X509Certificate(ca)) === undefined) return `${prefix} ca.pem seems invalid`;
  if (cert === undefined || key === undefined) return undefined;
  const privateKey = readPem(() => createPrivateKey(key));
  if (privateKey === undefined) return "no valid private key found";
  const certificate = readPem(() => new X509Certificate(cert));
  if (certificate === undefined) return `${prefix} tls: failed to find any PEM data in certificate input`;
  return certificate.checkPrivateKey(privateKey) ? undefined : `${prefix} tls: private key does not match public key`;
}

function readPem<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** The endpoint of another context, the default one too. Throws ExitError for an unknown one. */
export function endpointOf(session: Session, name: string): DockerEndpoint {
  if (name !== defaultContext) {
    const store = new ContextStore(session.folder);
    return { endpoint: store.get(name).Endpoints.docker ?? {}, tls: store.tls(name) };
  }
  const { host, tls } = session.defaultTarget;
  const texts = { "ca.pem": tls?.ca, "cert.pem": tls?.cert, "key.pem": tls?.key };
  const present = Object.entries(texts).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    endpoint: { Host: host, SkipTLSVerify: tls !== undefined && !tls.verify },
    tls: Object.fromEntries(present),
  };
}
