/** One container, by the API calls that tests make of it. */
import type { ContainerCreateBody } from "#api/types/container-config.ts";
import type { ContainerInspect, WaitResponse } from "#api/types/container.ts";
import { demultiplex, type Hijacked, type Wire } from "./wire.ts";

/** The body of `/containers/create`, and the name that goes into its query. */
export type ContainerOverrides = ContainerCreateBody & { name?: string };

export interface ExecResult {
  code: number;
  stdout: string;
  stderr: string;
}

export interface ExecOptions {
  Env?: string[];
  User?: string;
  WorkingDir?: string;
  Privileged?: boolean;
  Tty?: boolean;
  DetachKeys?: string;
  /** Sent to the program, then the end of file. */
  stdin?: string;
}

export class Box {
  readonly #wire: Wire;
  readonly id: string;

  constructor(wire: Wire, id: string) {
    this.#wire = wire;
    this.id = id;
  }

  async start(): Promise<void> {
    await this.#wire.bytes("POST", `/containers/${this.id}/start`);
  }

  /** Seconds to the SIGKILL; the daemon's default where none are given. */
  async stop(seconds?: number): Promise<void> {
    await this.#wire.bytes("POST", `/containers/${this.id}/stop${seconds === undefined ? "" : `?t=${seconds}`}`);
  }

  async kill(signal = "KILL"): Promise<void> {
    await this.#wire.bytes("POST", `/containers/${this.id}/kill?signal=${signal}`);
  }

  async remove(options: { force?: boolean; volumes?: boolean } = {}): Promise<void> {
    await this.#wire.bytes(
      "DELETE",
      `/containers/${this.id}?force=${options.force ?? false}&v=${options.volumes ?? false}`,
    );
  }

  async inspect(): Promise<ContainerInspect> {
    return await this.#wire.json("GET", `/containers/${this.id}/json`);
  }

  /** The path of its network namespace, while it runs. */
  async namespace(): Promise<string> {
    return `/proc/${(await this.inspect()).State.Pid}/ns/net`;
  }

  /** The exit code. */
  async wait(condition: "not-running" | "next-exit" | "removed" = "not-running"): Promise<number> {
    return (await this.#wire.json<WaitResponse>("POST", `/containers/${this.id}/wait?condition=${condition}`))
      .StatusCode;
  }

  /** For a container without a tty. `query` is that of the API, as `tail=10&timestamps=1`. */
  async logs(query = ""): Promise<{ stdout: string; stderr: string }> {
    return demultiplex(await this.#wire.bytes("GET", `/containers/${this.id}/logs?stdout=1&stderr=1&${query}`));
  }

  /** For one with a tty. */
  async rawLogs(query = ""): Promise<string> {
    return new TextDecoder().decode(
      await this.#wire.bytes("GET", `/containers/${this.id}/logs?stdout=1&stderr=1&${query}`),
    );
  }

  /** Dispose of what it gives. */
  async attach(query = "stream=1&stdin=1&stdout=1&stderr=1"): Promise<Hijacked> {
    return await this.#wire.hijack(`/containers/${this.id}/attach?${query}`);
  }

  async resize(rows: number, columns: number): Promise<void> {
    await this.#wire.bytes("POST", `/containers/${this.id}/resize?h=${rows}&w=${columns}`);
  }

  /** An exec that is made and not started. */
  async prepareExec(command: readonly string[], options: ExecOptions = {}): Promise<string> {
    const { stdin, ...body } = options;
    const { Id } = await this.#wire.json<{ Id: string }>("POST", `/containers/${this.id}/exec`, {
      Cmd: command,
      AttachStdin: stdin !== undefined,
      AttachStdout: true,
      AttachStderr: true,
      ...body,
    });
    return Id;
  }

  /** Runs a program inside to its end. */
  async exec(command: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const id = await this.prepareExec(command, options);
    using stream = await this.#wire.hijack(`/exec/${id}/start`, { Detach: false, Tty: options.Tty ?? false });
    if (options.stdin !== undefined) {
      stream.write(options.stdin);
      stream.end();
    }
    const bytes = await stream.all();
    const { ExitCode } = await this.#wire.json<{ ExitCode: number }>("GET", `/exec/${id}/json`);
    if (options.Tty === true) return { code: ExitCode, stdout: bytes.toString(), stderr: "" };
    return { code: ExitCode, ...demultiplex(bytes) };
  }
}
