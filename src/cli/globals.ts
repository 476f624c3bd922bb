/** The options that come before the verb. */
import { bool, list, string } from "./kinds.ts";

export const logLevels: readonly string[] = ["debug", "info", "warn", "error", "fatal"];

export const globalFlags = {
  config: string("Location of client config files", { complete: "files" }),
  context: string("Name of a context (not available: name the daemon with -H)", { short: "c", hidden: true }),
  debug: bool("Enable debug mode", { short: "D" }),
  host: list("Daemon socket to connect to", { short: "H" }),
  "log-level": string('Set the logging level ("debug", "info", "warn", "error", "fatal")', {
    short: "l",
    initial: "info",
    complete: logLevels,
  }),
  tls: bool("Use TLS; implied by --tlsverify (not available)", { hidden: true }),
  tlscacert: string("Trust certs signed only by this CA (not available)", { hidden: true }),
  tlscert: string("Path to TLS certificate file (not available)", { hidden: true }),
  tlskey: string("Path to TLS key file (not available)", { hidden: true }),
  tlsverify: bool("Use TLS and verify the remote (not available)", { hidden: true }),
  version: bool("Print version information and quit", { short: "v" }),
};

/** The address where the daemon listens unless told otherwise. */
export const defaultHost = "unix:///run/berth/berth.sock";
