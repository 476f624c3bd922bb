/** The settings of an engine that can be changed while it runs. */
import type { RegistryOptions } from "#registry/client/repository.ts";
import type { ContainerDefaults } from "./container/defaults.ts";
import type { RuntimeProgram } from "./runtime/runtimes.ts";

export interface Tuning {
  /** By name. */
  readonly runtimes: ReadonlyMap<string, RuntimeProgram>;
  /** Name of one of them. */
  readonly defaultRuntime: string;
  /** Seconds that the runtime may take to start a container. */
  readonly startTimeout: number;
  readonly registry: RegistryOptions;
  /** Of containers that do not say. */
  readonly noNewPrivileges: boolean;
  readonly defaults: ContainerDefaults;
}
