/** Which daemon a command line means: by flags, environment, or a context. */
import { homedir } from "node:os";
import { ContextStore, defaultContext } from "./context/store.ts";
import { ExitError } from "./errors.ts";
import { defaultHost, type globalFlags } from "./globals.ts";
import type { Values } from "./flags.ts";
import { type ClientTls, readClientTls } from "./tls.ts";

type Globals = Partial<Values<typeof globalFlags>>;

export interface Target {
  readonly host: string;
  readonly tls: ClientTls | undefined;
}

/** Where config.json, contexts and certificates are. */
export function configurationFolder({ config }: Globals, env: NodeJS.ProcessEnv): string {
  const home = env["XDG_CONFIG_HOME"] || `${env["HOME"] || homedir()}/.config`;
  return config || env["BERTH_CONFIG"] || env["DOCKER_CONFIG"] || `${home}/berth`;
}

/** What decides; `variable` is the one in the environment that did. */
export interface Choice {
  readonly context: string;
  /** Of the default context; without it, the environment says. */
  readonly host?: string;
  readonly variable?: string;
}

/**
 * The more particular goes first: flags, then our own variables, then Docker's, then `current`, which `context use`
 * sets. Throws ExitError for flags that exclude each other.
 */
export function chooseContext(globals: Globals, env: NodeJS.ProcessEnv, current: () => string | undefined): Choice {
  const hosts = globals.host ?? [];
  if (globals.context && hosts.length > 0)
    throw new ExitError(1, "conflicting options: cannot specify both --host and --context");
  if (hosts.length > 1)
    throw new ExitError(1, "Failed to initialize: unable to resolve berth endpoint: Specify only one -H");
  if (hosts[0] !== undefined) return { context: defaultContext, host: hosts[0] };
  if (globals.context) return { context: globals.context };
  for (const product of ["BERTH", "DOCKER"]) {
    const host = env[`${product}_HOST`];
    if (host) return { context: defaultContext, host, variable: `${product}_HOST` };
    const context = env[`${product}_CONTEXT`];
    if (context) return { context, variable: `${product}_CONTEXT` };
  }
  return { context: current() || defaultContext };
}

/** Throws ExitError for an unknown context and for certificates that cannot be read. */
export function resolveTarget(choice: Choice, globals: Globals, env: NodeJS.ProcessEnv): Target {
  if (choice.context !== defaultContext) return targetOfContext(choice.context, globals, env);
  const { tls, tlsverify, tlscacert = "", tlscert = "", tlskey = "" } = globals;
  const verify = tlsverify || Boolean(env["DOCKER_TLS_VERIFY"]);
  const host = choice.host ?? (env["BERTH_HOST"] || env["DOCKER_HOST"] || defaultHost);
  if (!tls && !verify) return { host, tls: undefined };
  const folder = env["DOCKER_CERT_PATH"] || `${env["HOME"] || homedir()}/.docker`;
  return { host, tls: readClientTls({ ca: tlscacert, cert: tlscert, key: tlskey }, folder, verify) };
}

function targetOfContext(name: string, globals: Globals, env: NodeJS.ProcessEnv): Target {
  const store = new ContextStore(configurationFolder(globals, env));
  let endpoint: { Host?: string; SkipTLSVerify?: boolean };
  try {
    endpoint = store.get(name).Endpoints.docker ?? {};
  } catch (cause) {
    const message = `Failed to initialize: unable to resolve berth endpoint: ${(cause as Error).message}`;
    throw new ExitError(1, message, { cause });
  }
  const files = store.tls(name);
  const { "ca.pem": ca, "cert.pem": cert, "key.pem": key } = files;
  const secured = Object.keys(files).length > 0 || endpoint.SkipTLSVerify === true;
  const tls = {
    verify: endpoint.SkipTLSVerify !== true,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
  return { host: endpoint.Host || defaultHost, tls: secured ? tls : undefined };
}
