/** The calls to the OCI runtime (crun, runc, …) that conmon does not make. */
import { closeSync, constants, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "#lib/errors.ts";
import type { MonitorPrograms } from "./conmon.ts";
import { RuntimeRefusal } from "./conmon.ts";

/** Runs containers by the OCI runtime command line interface; every method is one child process at most. */
export class OciRuntime {
  readonly #programsOf: (id: string) => MonitorPrograms;
  readonly #stateOf: (id: string) => string;

  /** `programsOf` names the runtime of a container, `stateOf` the folder in which that keeps its state. */
  constructor(programsOf: (id: string) => MonitorPrograms, stateOf: (id: string) => string) {
    this.#programsOf = programsOf;
    this.#stateOf = stateOf;
  }

  /** Lets a created container run; `hooks` says that its spec has some. Throws RuntimeRefusal. */
  async start(id: string, hooks = false): Promise<void> {
    if (hooks || !openGate(join(this.#stateOf(id), "exec.fifo"))) await this.#run(id, ["start", id]);
  }

  /** Kills what is left, removes cgroup and state. Idempotent: an unknown container is fine. */
  async delete(id: string): Promise<void> {
    await this.#run(id, ["delete", "--force", id]).catch((error: unknown) => {
      if (error instanceof RuntimeRefusal && /does not exist|No such file/.test(error.output)) return;
      throw error;
    });
  }

  async pause(id: string): Promise<void> {
    await this.#run(id, ["pause", id]);
  }

  async resume(id: string): Promise<void> {
    await this.#run(id, ["resume", id]);
  }

  /** Sets limits of a running container: `file` holds the runtime spec's resources. Throws RuntimeRefusal. */
  async update(id: string, file: string): Promise<void> {
    await this.#run(id, ["update", "--resources", file, id]);
  }

  /** The runtime's word on a container; undefined where it knows none of that id. */
  async status(id: string): Promise<"creating" | "created" | "running" | "paused" | "stopped" | undefined> {
    try {
      const state = JSON.parse(await this.#run(id, ["state", id])) as { status: "created" };
      return state.status;
    } catch (error) {
      if (error instanceof RuntimeRefusal) return undefined;
      throw error;
    }
  }

  async #run(id: string, command: readonly string[]): Promise<string> {
    const { runtime, runtimeOptions, within = [] } = this.#programsOf(id);
    const child = Bun.spawn([...within, runtime, ...runtimeOptions, ...command], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [output, problem, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    if (code !== 0) throw new RuntimeRefusal(problem.trim());
    return output;
  }
}

/**
 * What crun's `start` comes to (without hooks, and notify sockets, which we give to none), 5 ms sooner: the container's
 * first process waits for a byte from this pipe. False where nobody waits for one, as with runc, whose pipe goes the
 * other way, or where that process is dead: the runtime's own `start` knows what to do.
 */
function openGate(path: string): boolean {
  let gate: number;
  try {
    // Without a reader this fails instead of waiting for one.
    gate = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return false;
  }
  try {
    writeSync(gate, Uint8Array.of(0));
  } catch {
    // The reader died in this moment.
    return false;
  } finally {
    closeSync(gate);
  }
  // Its absence is how the runtime knows that the container was started: from here on nobody may start it again.
  rmSync(path, { force: true });
  return true;
}

/** Throws "unavailable" with the remedy where a program is missing. */
export function findProgram(name: string, packageName = name): string {
  const path = Bun.which(name, {
    PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/bin:/sbin:/bin:/usr/libexec/crun`,
  });
  if (path === null) {
    throw new EngineError("unavailable", `the program ${name} is missing; install it: apt-get install ${packageName}`);
  }
  return path;
}
