/** The OCI runtimes that containers can choose among (`--runtime`), by the names that the configuration gives them. */
import { EngineError } from "#lib/errors.ts";
import type { MonitorPrograms } from "./conmon.ts";

export interface RuntimeProgram {
  /** Absolute. */
  path: string;
  /** Global options of the program, before its verb. */
  arguments: readonly string[];
}

export class Runtimes {
  /** Name of the runtime of containers that choose none. */
  readonly default: string;
  readonly #programs: ReadonlyMap<string, MonitorPrograms>;

  /** `root` is the folder of their state, one for all: ids are unique. `programs` holds the default one. */
  constructor(conmon: string, root: string, programs: ReadonlyMap<string, RuntimeProgram>, byDefault: string) {
    this.default = byDefault;
    this.#programs = new Map(
      [...programs].map(([name, { path, arguments: options }]) => [
        name,
        { conmon, runtime: path, runtimeOptions: [...options, "--root", root] },
      ]),
    );
  }

  /** Empty is the default. Throws "invalid" for an unknown name. */
  get(name: string): MonitorPrograms {
    const programs = this.#programs.get(name || this.default);
    if (programs === undefined) throw new EngineError("invalid", `unknown or invalid runtime name: ${name}`);
    return programs;
  }

  /** That of an existing container; the default where it is gone from the configuration: any can clean up. */
  of(container: { hostConfig: { Runtime?: string } } | undefined): MonitorPrograms {
    return this.#programs.get(container?.hostConfig.Runtime ?? "") ?? this.get("");
  }
}
