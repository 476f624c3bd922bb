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
  readonly #conmon: string;
  readonly #root: string;
  #default = "";
  #programs: ReadonlyMap<string, MonitorPrograms> = new Map();

  /** `root` is the folder of their state, one for all: ids are unique. `programs` holds the default one. */
  constructor(conmon: string, root: string, programs: ReadonlyMap<string, RuntimeProgram>, byDefault: string) {
    this.#conmon = conmon;
    this.#root = root;
    this.configure(programs, byDefault);
  }

  /** Name of the runtime of containers that choose none. */
  get default(): string {
    return this.#default;
  }

  /** Other programs from now on. */
  configure(programs: ReadonlyMap<string, RuntimeProgram>, byDefault: string): void {
    this.#default = byDefault;
    this.#programs = new Map(
      [...programs].map(([name, { path, arguments: options }]) => [
        name,
        { conmon: this.#conmon, runtime: path, runtimeOptions: [...options, "--root", this.#root] },
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
