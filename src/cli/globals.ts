/** The options that come before the verb. */
import { bool, list, string } from "./kinds.ts";

export const logLevels: readonly string[] = ["debug", "info", "warn", "error", "fatal"];

export const globalFlags = {
  config: string("Location of client config files", { complete: "files" }),
  context: string(
    "Name of the context to use to connect to the daemon (overrides DOCKER_HOST env var and default context set with " +
      '"berth context use")',
    { short: "c", complete: "contexts" },
  ),
  debug: bool("Enable debug mode", { short: "D" }),
  host: list("Daemon socket to connect to", { short: "H" }),
  "log-level": string('Set the logging level ("debug", "info", "warn", "error", "fatal")', {
    short: "l",
    initial: "info",
    complete: logLevels,
  }),
  tls: bool("Use TLS; implied by --tlsverify"),
  tlscacert: string("Trust certs signed only by this CA", { complete: "files" }),
  tlscert: string("Path to TLS certificate file", { complete: "files" }),
  tlskey: string("Path to TLS key file", { complete: "files" }),
  tlsverify: bool("Use TLS and verify the remote"),
  version: bool("Print version information and quit", { short: "v" }),
};

/** The address where the daemon listens unless told otherwise. */
export const defaultHost = "unix:///run/berth/berth.sock";
