/** Starts conmon, the monitor that holds a container's streams and exit code while daemons come and go. */
import { closeSync, writeSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "#lib/errors.ts";

/** What conmon and the OCI runtime need to know of one process; paths are absolute. */
export interface MonitorRequest {
  /** The container's id, as the OCI runtime knows it. */
  containerId: string;
  /** Folder of this process's own: conmon puts `attach`, `ctl`, `winsz` and the pid files there. */
  folder: string;
  /** Folder in which the exit code appears, in a file named by the container's id. */
  exitFolder: string;
  /** Log file in k8s-file form; undefined keeps no log. */
  logPath: string | undefined;
  tty: boolean;
  /** Keep a stdin that clients can write to. */
  stdin: boolean;
  /** Do not end that stdin when the last attached client leaves. */
  leaveStdinOpen: boolean;
}

export interface CreateRequest extends MonitorRequest {
  /** Descriptors that the monitor keeps as long as it lives, as number FIRST_HELD and up. The container does not get them. */
  held?: readonly number[];
}

/** Behind the standard streams and the sync pipe. */
export const FIRST_HELD = 4;

export interface ExecRequest extends MonitorRequest {
  /** OCI process spec as a JSON file. */
  processFile: string;
  /** Called when clients may attach and nothing has run yet. */
  onAttachable: () => void | Promise<void>;
}

/** How to run the monitor and the runtime; the same for all containers. */
export interface MonitorPrograms {
  conmon: string;
  runtime: string;
  /** Global options of the runtime, `--root` among them. */
  runtimeOptions: readonly string[];
  /** Words before a program's own, which bring it into namespaces. */
  within?: readonly string[];
}

/** The runtime could not create the process; `output` is what it printed, `status` its exit code as conmon tells it. */
export class RuntimeRefusal extends EngineError {
  readonly output: string;

  constructor(output: string) {
    super("internal", `the OCI runtime failed: ${output}`);
    this.output = output;
  }
}

/** Names of conmon's files in a monitor's folder. */
export const monitorFiles = {
  attach: (folder: string) => join(folder, "attach"),
  control: (folder: string) => join(folder, "ctl"),
  monitorPid: (folder: string) => join(folder, "conmon.pid"),
  pid: (folder: string) => join(folder, "pid"),
  /** Made by conmon when the kernel killed something in the container's cgroup for memory. */
  outOfMemory: (folder: string) => join(folder, "oom"),
} as const;

/**
 * Creates the container of `request.folder`/config.json and resolves to its pid; it then waits for the runtime's
 * `start`. Throws RuntimeRefusal when the runtime says no.
 */
export async function createMonitored(programs: MonitorPrograms, request: CreateRequest): Promise<number> {
  await using child = spawnConmon(programs, request, [], {}, request.held);
  const first = await child.message();
  if (first === undefined) throw new RuntimeRefusal(await child.output());
  if (first.data < 0) throw new RuntimeRefusal(first.message ?? "");
  return first.data;
}

export interface MonitoredExec {
  pid: number;
  /** Never rejects; undefined where conmon died without telling. The code is in `exitFolder` too. */
  exitCode: Promise<number | undefined>;
}

/**
 * Runs `request.processFile` in a running container and resolves to its pid once it runs.
 * `onAttachable` is awaited before the process exists, so that no output is missed.
 */
export async function execMonitored(programs: MonitorPrograms, request: ExecRequest): Promise<MonitoredExec> {
  const options = ["--exec", "--exec-attach", "--exec-process-spec", request.processFile];
  await using undo = new AsyncDisposableStack();
  const child = undo.use(spawnConmon(programs, request, options, { _OCI_ATTACHPIPE: "4", _OCI_STARTPIPE: "5" }));
  child.go();
  if ((await child.attachable()) === undefined) throw new RuntimeRefusal(await child.output());
  await request.onAttachable();
  child.go();
  const first = await child.message();
  if (first === undefined) throw new RuntimeRefusal(await child.output());
  if (first.data < 0) throw new RuntimeRefusal(first.message ?? "");
  const held = undo.move();
  const exitCode = child.message().then(
    async (last) => {
      await held.disposeAsync();
      return last?.data;
    },
    () => undefined,
  );
  return { pid: first.data, exitCode };
}

/** A line that conmon writes on one of its pipes. */
interface SyncMessage {
  data: number;
  message?: string;
}

interface ConmonChild extends AsyncDisposable {
  /** The next line of the sync pipe; undefined at its end. */
  message(): Promise<SyncMessage | undefined>;
  attachable(): Promise<SyncMessage | undefined>;
  /** Lets conmon take its next step (exec only). */
  go(): void;
  /** What conmon itself printed before it gave up. */
  output(): Promise<string>;
}

function spawnConmon(
  programs: MonitorPrograms,
  request: MonitorRequest,
  options: readonly string[],
  environment: Record<string, string>,
  held: readonly number[] = [],
): ConmonChild {
  const exec = options.length > 0;
  const child = Bun.spawn(
    [
      ...(programs.within ?? []),
      programs.conmon,
      "--api-version",
      "1",
      "--cid",
      request.containerId,
      "--cuuid",
      request.containerId,
      "--runtime",
      programs.runtime,
      ...programs.runtimeOptions.flatMap((option) => ["--runtime-arg", option]),
      "--bundle",
      request.folder,
      "--container-pidfile",
      monitorFiles.pid(request.folder),
      "--conmon-pidfile",
      monitorFiles.monitorPid(request.folder),
      "--exit-dir",
      request.exitFolder,
      "--full-attach",
      // An fsync of the log at each exit would be on every container's way out.
      "--no-sync-log",
      "--log-path",
      request.logPath === undefined ? "off:" : `k8s-file:${request.logPath}`,
      "--log-level",
      "error",
      ...(request.tty ? ["--terminal"] : []),
      ...(request.stdin ? ["--stdin"] : []),
      ...(request.leaveStdinOpen ? ["--leave-stdin-open"] : []),
      ...options,
    ],
    {
      cwd: request.folder,
      env: { PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin", _OCI_SYNCPIPE: "3", ...environment },
      stdio: ["ignore", "ignore", "pipe", "pipe", ...(exec ? (["pipe", "pipe"] as const) : held)],
    },
  );
  const descriptor = (index: number): number => {
    const fd = child.stdio[index];
    if (typeof fd !== "number") throw new EngineError("internal", `conmon has no pipe at descriptor ${index}`);
    return fd;
  };
  const sync = new LineReader(descriptor(3));
  const attach = exec ? new LineReader(descriptor(4)) : undefined;
  return {
    message: () => sync.next(),
    attachable: async () => attach?.next(),
    go: () => {
      writeSync(descriptor(5), "x");
    },
    output: async () => (await new Response(child.stderr).text()).trim() || `conmon exited with ${await child.exited}`,
    [Symbol.asyncDispose]: async () => {
      await sync.close();
      await attach?.close();
      // Whoever asked for the output has read it to its end.
      if (!child.stderr.locked) await child.stderr.cancel();
      // Bun leaves extra pipes to whoever asked for them.
      for (const index of exec ? [3, 4, 5] : [3]) closeQuietly(descriptor(index));
    },
  };
}

function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // Closed by its stream already.
  }
}

class LineReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #text = "";

  constructor(fd: number) {
    this.#chunks = Bun.file(fd).stream()[Symbol.asyncIterator]();
  }

  async next(): Promise<SyncMessage | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return JSON.parse(line) as SyncMessage;
      }
      const { value, done } = await this.#chunks.next();
      if (done === true) return undefined;
      this.#text += this.#decoder.decode(value, { stream: true });
    }
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}
