/** Further processes in running containers: `docker exec`. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ExecConfig, ExecCreateResponse, ExecInspect, ExecStartBody } from "#api/types/exec.ts";
import type { Container } from "#engine/container/container.ts";
import { announce, type EngineContext } from "#engine/container/context.ts";
import { StartFailure } from "#engine/container/launch.ts";
import { isRunning } from "#engine/container/record.ts";
import { execMonitored, monitorFiles, RuntimeRefusal } from "#engine/runtime/conmon.ts";
import { Console } from "#engine/runtime/console.ts";
import { DEFAULT_DETACH_KEYS, parseDetachKeys } from "#engine/runtime/detach-keys.ts";
import { readExit } from "#engine/runtime/exits.ts";
import { findMonitor, readPid } from "#engine/runtime/monitors.ts";
import { resizeTerminal } from "#engine/runtime/resize.ts";
import { specJson } from "#engine/spec/json.ts";
import { translateRuntimeError } from "#engine/spec/runtime-error.ts";
import { startTime } from "#linux/process.ts";
import { EngineError } from "#lib/errors.ts";
import type { Hijack } from "#lib/http/hijack.ts";
import { execProcess } from "./process.ts";

const REMEMBERED_MS = 5 * 60_000;
/** Exit codes of a process whose monitor was killed, and of one that never came to be. */
const KILLED = 137;
const CANNOT_RUN = 126;

interface Exec {
  id: string;
  container: Container;
  config: ExecConfig;
  folder: string;
  console: Console;
  status: "created" | "running" | "ended";
  pid: number;
  exitCode: number | null;
  ended: Promise<void>;
  /** Settles once the process runs, or cannot. */
  started: Promise<void>;
}

/** What an exec's folder keeps for a later daemon. */
interface ExecFile {
  config: ExecConfig;
}

export class ExecService {
  readonly #context: EngineContext;
  readonly #execs = new Map<string, Exec>();

  constructor(context: EngineContext) {
    this.#context = context;
  }

  /** Finds the execs of adopted containers again, running or ended. */
  recover(): void {
    const { containers, layout } = this.#context;
    for (const container of containers.all()) {
      const folder = layout.execs(container.id);
      if (!isRunning(container.state) || !existsSync(folder)) continue;
      for (const id of readdirSync(folder)) this.#adopt(container, id);
    }
  }

  create(containerId: string, config: ExecConfig): ExecCreateResponse {
    const container = this.#context.containers.get(containerId);
    assertRunning(container);
    if (config.Cmd.length === 0) throw new EngineError("invalid", "No exec command specified");
    parseDetachKeys(config.DetachKeys || DEFAULT_DETACH_KEYS);
    const id = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
    const exec = this.#remember(container, id, config);
    announce(this.#context, container, `exec_create: ${commandOf(config)}`, { execID: exec.id });
    return { Id: id };
  }

  async startDetached(id: string, options: ExecStartBody): Promise<void> {
    const exec = this.#startable(id);
    applyOptions(exec, options);
    await this.#run(exec);
  }

  async start(id: string, options: ExecStartBody, hijack: Hijack): Promise<void> {
    const exec = this.#startable(id);
    applyOptions(exec, options);
    const { config } = exec;
    const connection = hijack({ tty: config.Tty });
    const attached = exec.console.attach(connection, {
      stdin: config.AttachStdin,
      stdout: config.AttachStdout,
      stderr: config.AttachStderr,
      detachKeys: config.Tty ? parseDetachKeys(config.DetachKeys || DEFAULT_DETACH_KEYS) : undefined,
    });
    try {
      await this.#run(exec);
    } catch (error) {
      await connection.write(errorOutput(error, config.Tty));
      await exec.console.close();
    }
    const end = await attached;
    if (end === "detached") announce(this.#context, exec.container, "exec_detach", { execID: id });
    // A client asks for the exit code as soon as the stream ends: it must be there.
    if (end === "ended") await exec.ended;
  }

  async resize(id: string, height: number, width: number): Promise<void> {
    const exec = this.#get(id);
    if (exec.status !== "running") throw new EngineError("conflict", `exec ${id} is not running`);
    await exec.started;
    await resizeTerminal(monitorFiles.control(exec.folder), height, width);
  }

  inspect(id: string): ExecInspect {
    const { container, config, status, exitCode, pid } = this.#get(id);
    const [entrypoint = "", ...rest] = config.Cmd;
    return {
      ID: id,
      Running: status === "running",
      ExitCode: exitCode,
      ProcessConfig: {
        tty: config.Tty,
        entrypoint,
        arguments: rest,
        privileged: config.Privileged,
        ...(config.User !== "" && { user: config.User }),
      },
      OpenStdin: config.AttachStdin,
      OpenStderr: config.AttachStderr,
      OpenStdout: config.AttachStdout,
      CanRemove: status === "ended",
      ContainerID: container.id,
      DetachKeys: config.DetachKeys,
      Pid: pid,
    };
  }

  /** Settles once the process runs; its console is the caller's to close when this rejects. */
  async #run(exec: Exec): Promise<void> {
    const { container, config, folder } = exec;
    const ended = Promise.withResolvers<void>();
    exec.ended = ended.promise;
    const started = Promise.withResolvers<void>();
    exec.started = started.promise;
    exec.status = "running";
    try {
      const { pid, exitCode } = await execMonitored(this.#context.programsOf(container.id), {
        containerId: container.id,
        folder,
        exitFolder: folder,
        logPath: undefined,
        tty: config.Tty,
        stdin: config.AttachStdin,
        leaveStdinOpen: config.Tty,
        processFile: this.#writeFolder(exec),
        onAttachable: () => exec.console.open(monitorFiles.attach(folder)),
      });
      exec.pid = pid;
      announce(this.#context, container, `exec_start: ${commandOf(config)}`, { execID: exec.id });
      void exitCode.then(async (code) => {
        this.#ended(exec, code ?? KILLED);
        ended.resolve();
        await exec.console.close();
      });
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      const failure =
        error instanceof RuntimeRefusal && translateRuntimeError(error.output, config.Cmd[0] ?? "", "exec");
      this.#ended(exec, failure ? failure.exitCode : CANNOT_RUN);
      ended.resolve();
      throw failure ? new StartFailure(failure.message, failure.exitCode, { cause: error }) : error;
    } finally {
      started.resolve();
    }
  }

  /** Returns the path of the process spec. */
  #writeFolder({ container, config, folder }: Exec): string {
    const process = execProcess(this.#context, container, config);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, "exec.json"), JSON.stringify({ config } satisfies ExecFile), { mode: 0o600 });
    const file = join(folder, "process.json");
    writeFileSync(file, specJson(process), { mode: 0o600 });
    return file;
  }

  #ended(exec: Exec, code: number): void {
    exec.exitCode = code;
    exec.status = "ended";
    exec.pid = 0;
    exec.container.execIds.delete(exec.id);
    announce(this.#context, exec.container, "exec_die", { execID: exec.id, exitCode: String(exec.exitCode) });
    setTimeout(() => this.#forget(exec), REMEMBERED_MS).unref();
  }

  #forget(exec: Exec): void {
    this.#execs.delete(exec.id);
    rmSync(exec.folder, { recursive: true, force: true });
  }

  #remember(container: Container, id: string, config: ExecConfig): Exec {
    const exec: Exec = {
      id,
      container,
      config,
      folder: this.#context.layout.exec(container.id, id),
      console: new Console({
        tty: config.Tty,
        stdin: config.AttachStdin,
        stdinOnce: true,
        alive: () => exec.pid === 0 || startTime(exec.pid) !== undefined,
      }),
      status: "created",
      pid: 0,
      exitCode: null,
      ended: Promise.resolve(),
      started: Promise.resolve(),
    };
    this.#execs.set(id, exec);
    container.execIds.add(id);
    return exec;
  }

  #adopt(container: Container, id: string): void {
    const folder = this.#context.layout.exec(container.id, id);
    let config: ExecConfig;
    try {
      ({ config } = JSON.parse(readFileSync(join(folder, "exec.json"), "utf8")) as ExecFile);
    } catch {
      rmSync(folder, { recursive: true, force: true });
      return;
    }
    const exec = this.#remember(container, id, config);
    exec.status = "running";
    const look = () => {
      exec.pid = readPid(monitorFiles.pid(folder)) ?? 0;
      // In this order: a monitor leaves the exit code before it goes.
      const watched = findMonitor(folder) !== undefined;
      const exit = readExit(folder, container.id);
      if (exit !== undefined) this.#ended(exec, exit.code);
      else if (!watched) this.#ended(exec, KILLED);
      else setTimeout(look, 500).unref();
    };
    look();
  }

  #get(id: string): Exec {
    const exec = this.#execs.get(id);
    if (exec === undefined) throw new EngineError("not-found", `No such exec instance: ${id}`);
    return exec;
  }

  #startable(id: string): Exec {
    const exec = this.#get(id);
    assertRunning(exec.container);
    if (exec.status === "created") return exec;
    const why = exec.status === "running" ? "is already running" : "has already run";
    throw new EngineError("conflict", `exec command ${id} ${why}`);
  }
}

function assertRunning({ state, id }: Container): void {
  if (state.status === "paused") {
    throw new EngineError("conflict", `Container ${id} is paused, unpause the container before exec`);
  }
  if (state.status === "restarting") {
    throw new EngineError("conflict", `Container ${id} is restarting, wait until the container is running`);
  }
  if (!isRunning(state)) throw new EngineError("conflict", `container ${id} is not running`);
}

function applyOptions(exec: Exec, options: ExecStartBody): void {
  if (options.ConsoleSize) exec.config.ConsoleSize = options.ConsoleSize;
}

/** What a client sees on its stream where the process could not be started. */
function errorOutput(error: unknown, tty: boolean): Uint8Array {
  const text = new TextEncoder().encode(`${error instanceof Error ? error.message : String(error)}\r\n`);
  if (tty) return text;
  const framed = new Uint8Array(text.length + 8);
  framed[0] = 2;
  new DataView(framed.buffer).setUint32(4, text.length);
  framed.set(text, 8);
  return framed;
}

/** As Docker's events show it: program, a space, and the arguments, also where there are none. */
function commandOf({ Cmd: [program = "", ...rest] }: ExecConfig): string {
  return `${program} ${rest.join(" ")}`;
}
