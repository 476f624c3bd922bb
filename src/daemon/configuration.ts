/** What the daemon is told by flags and its configuration file, and what changes when that is read again. */
import { join } from "node:path";
import { checkLogConfig } from "#engine/container/log-options.ts";
import { errorMessage } from "#lib/errors.ts";
import { type Given, describeFlags, readFlags } from "./configuration/flags.ts";
import { DEFAULT_FILE, readSettingsFile } from "./configuration/file.ts";
import { refuseSettings, type Values } from "./configuration/setting.ts";
import { type SettingKey, type Settings, settings } from "./configuration/table.ts";

/** Every setting with its value, by the key of the configuration file. */
export type Configuration = Readonly<Values<Settings>>;

export const usage = `Usage:  berth daemon [OPTIONS]

Run the engine in the foreground

Options:
${describeFlags()}`;

/** What the words after `berth daemon` ask for. Throws kind "invalid" for unknown or contradictory settings. */
export function readConfiguration(argv: readonly string[]): Configuration | "help" | "valid" {
  const given = readFlags(argv);
  if (given.help) return "help";
  const configuration = merge(given);
  return given.validate ? "valid" : configuration;
}

function merge(given: Given): Configuration {
  const file = readSettingsFile(given.file);
  const twice = [...given.values].filter(([key]) => file.has(key));
  if (twice.length > 0) {
    const pairs = twice.map(
      ([key, value]) => `${key}: (from flag: ${shown(value)}, from file: ${shown(file.get(key))})`,
    );
    refuseSettings(
      `unable to configure the daemon with file ${given.file ?? DEFAULT_FILE}: the following directives are specified ` +
        `both as a flag and in the configuration file: ${pairs.join(", ")}`,
    );
  }
  const said = new Map([...file, ...given.values]);
  // Two names of one setting: what the command line says goes before what the file says.
  if (given.values.has("stop-containers") && !given.values.has("live-restore")) said.delete("live-restore");
  if (given.values.has("live-restore") && !given.values.has("stop-containers")) said.delete("stop-containers");
  const values = Object.fromEntries(
    Object.entries(settings).map(([key, { initial }]) => [
      key,
      said.has(key as SettingKey) ? said.get(key as SettingKey) : initial,
    ]),
  ) as Values<Settings>;
  if (said.has("live-restore") && said.has("stop-containers") && values["live-restore"] === values["stop-containers"]) {
    refuseSettings("live-restore and stop-containers contradict each other");
  }
  if (said.has("live-restore")) values["stop-containers"] = !values["live-restore"];
  values["live-restore"] = !values["stop-containers"];
  // dockerd counts a certificate authority as a wish to verify, and any wish to verify as one for TLS.
  if (said.has("tlsverify") && values.tlsverify) values.tls = true;
  if (values.hosts.length === 0) values.hosts = [`unix://${join(values["exec-root"], "berth.sock")}`];
  checkLogDefaults(values["log-driver"], values["log-opts"]);
  if (values.debug) values["log-level"] = "debug";
  return values;
}

/** They would fail at every container's start otherwise. */
function checkLogDefaults(Type: string, Config: Readonly<Record<string, string>>): void {
  try {
    checkLogConfig({ Type, Config: { ...Config } }, { Type, Config: {} });
  } catch (error) {
    refuseSettings(`failed to set log opts: ${errorMessage(error)}`);
  }
}

function shown(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

export interface Change {
  /** What the daemon has from now on: the old configuration with the changes that take effect while it runs. */
  readonly configuration: Configuration;
  /** Keys of changes that only a restart brings. */
  readonly pending: readonly SettingKey[];
}

/** What reading the configuration again means for a daemon that runs with `before`. */
export function reconfigure(before: Configuration, after: Configuration): Change {
  const keys = Object.keys(settings) as SettingKey[];
  const changed = keys.filter((key) => !Bun.deepEquals(before[key], after[key]));
  const live = changed.filter((key) => settings[key].live);
  return {
    configuration: { ...before, ...Object.fromEntries(live.map((key) => [key, after[key]])) },
    pending: changed.filter((key) => !settings[key].live),
  };
}
