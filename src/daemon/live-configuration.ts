/** The configuration as it is at this moment: read again on SIGHUP, and told to whom it concerns. */
import { errorMessage } from "#lib/errors.ts";
import type { Logger } from "#lib/log.ts";
import { type Configuration, readConfiguration, reconfigure } from "./configuration.ts";
import { findPrograms, type Programs } from "./prerequisites.ts";

/** Takes over the part that can change while the daemon runs. Throws where that cannot be: then nothing is changed. */
export type Apply = (configuration: Configuration, programs: Programs) => void | Promise<void>;

export class LiveConfiguration {
  readonly #argv: readonly string[];
  readonly #log: Logger;
  #configuration: Configuration;
  #programs: Programs;

  /** `argv` is what `configuration` was read from. Throws "unavailable" where a program is missing. */
  constructor(argv: readonly string[], configuration: Configuration, log: Logger) {
    this.#argv = argv;
    this.#log = log;
    this.#configuration = configuration;
    this.#programs = programsOf(configuration);
  }

  get current(): Configuration {
    return this.#configuration;
  }

  get programs(): Programs {
    return this.#programs;
  }

  /** Reads flags and file again. An unusable one changes nothing and is logged. Never rejects. */
  async reload(apply: Apply): Promise<void> {
    try {
      const read = readConfiguration(this.#argv);
      if (typeof read === "string") return;
      const { configuration, pending } = reconfigure(this.#configuration, read);
      const programs = programsOf(configuration);
      await apply(configuration, programs);
      this.#configuration = configuration;
      this.#programs = programs;
      this.#log.info({ configuration: reloadable(configuration) }, "configuration reloaded");
      if (pending.length > 0)
        this.#log.warn({ settings: pending }, "a restart is needed for changed settings to take effect");
    } catch (error) {
      this.#log.error({ error: errorMessage(error) }, "cannot reload the configuration: it stays as it was");
    }
  }
}

function programsOf(configuration: Configuration): Programs {
  return findPrograms(configuration["default-runtime"], new Map(Object.entries(configuration.runtimes)));
}

/** Attributes of Docker's `reload` event: the settings that can change, as texts. */
export function reloadable(configuration: Configuration): Record<string, string> {
  const list = (value: readonly string[]): string => JSON.stringify(value);
  return {
    "authorization-plugins": list([]),
    debug: String(configuration["log-level"] === "debug"),
    "default-ipc-mode": configuration["default-ipc-mode"],
    "default-runtime": configuration["default-runtime"],
    "default-shm-size": String(configuration["default-shm-size"]),
    "insecure-registries": list(configuration["insecure-registries"]),
    labels: list(configuration.labels),
    "live-restore": String(configuration["live-restore"]),
    "max-concurrent-downloads": String(configuration["max-concurrent-downloads"]),
    "max-download-attempts": String(configuration["max-download-attempts"]),
    "registry-mirrors": list(configuration["registry-mirrors"]),
    runtimes: Object.keys(configuration.runtimes).toSorted().join(" "),
    "shutdown-timeout": String(configuration["shutdown-timeout"]),
    "start-timeout": String(configuration["start-timeout"]),
  };
}
