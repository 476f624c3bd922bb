/** Runs a health check once: an exec without monitor and client, which nobody has to find again later. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ExecConfig } from "#api/types/exec.ts";
import type { Container } from "#engine/container/container.ts";
import { announce, type EngineContext } from "#engine/container/context.ts";
import { execProcess } from "#engine/exec/process.ts";
import { monitorFiles } from "#engine/runtime/conmon.ts";
import { specJson } from "#engine/spec/json.ts";
import { translateRuntimeError } from "#engine/spec/runtime-error.ts";
import { formatDuration } from "#lib/duration.ts";
import { EngineError } from "#lib/errors.ts";
import { settledWithin } from "#lib/time.ts";
import { Deadline, type Lateness, startOf } from "./deadline.ts";
import type { ProbeOutcome } from "./monitor.ts";
import { ProbeOutput } from "./output.ts";
import type { HealthPlan } from "./plan.ts";
import { killProbe, PROBE_FILE } from "./probe-process.ts";

/** How long output is waited for that some other process of the container holds open, in milliseconds. */
const LINGER = 200;
/** Exit code where the runtime was killed with its probe. */
const KILLED = 137;

/**
 * The program's exit code and output; a probe that runs longer than its timeout is killed and gives -1. Rejects where
 * it could not be started. `signal` kills it.
 */
export async function runProbe(
  context: EngineContext,
  container: Container,
  plan: HealthPlan,
  signal: AbortSignal,
): Promise<ProbeOutcome> {
  const { layout } = context;
  if (plan.command.length === 0) {
    throw new EngineError("invalid", `healthcheck for container ${container.id} has no command`);
  }
  const id = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
  const command = plan.command.join(" ");
  // Live for who listens; three a second from each container would leave nothing else in the history.
  const tell = (action: string, attributes: Record<string, string> = {}) =>
    announce(context, container, action, { execID: id, ...attributes }, { passing: true });
  tell(`exec_create: ${command}`);
  const folder = layout.exec(container.id, id);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  try {
    const file = join(folder, PROBE_FILE);
    const process = execProcess(context, container, execConfig(plan.command));
    writeFileSync(file, specJson(process), { mode: 0o600 });
    tell(`exec_start: ${command}`);
    const { runtime, runtimeOptions, within = [] } = context.programsOf(container.id);
    const pidFile = monitorFiles.pid(folder);
    const { code, late, output } = await runToEnd(
      [...within, runtime, ...runtimeOptions, "exec", "--process", file, "--pid-file", pidFile, container.id],
      new Deadline(pidFile, plan.timeout),
      signal,
    );
    if (late === "start") {
      throw new EngineError("internal", `timed out starting health check for container ${container.id}`);
    }
    if (late === undefined && code !== 0 && startOf(pidFile) === undefined) {
      throw new EngineError("internal", translateRuntimeError(output, plan.command[0] ?? "", "exec").message);
    }
    tell("exec_die", { exitCode: String(code) });
    if (late === undefined) return { exitCode: code, output };
    const exceeded = `Health check exceeded timeout (${formatDuration(plan.timeout * 1e6)})`;
    return { exitCode: -1, output: output === "" ? exceeded : `${exceeded}: ${output}` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function execConfig(command: readonly string[]): ExecConfig {
  return {
    User: "",
    Privileged: false,
    Tty: false,
    ConsoleSize: null,
    AttachStdin: false,
    AttachStderr: true,
    AttachStdout: true,
    DetachKeys: "",
    Env: null,
    WorkingDir: "",
    Cmd: [...command],
  };
}

interface Ended {
  code: number;
  /** Why it was killed. */
  late: Lateness | undefined;
  output: string;
}

async function runToEnd(command: string[], deadline: Deadline, signal: AbortSignal): Promise<Ended> {
  const child = Bun.spawn(command, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin" },
    // What is meant for the daemon's process group (Ctrl-C) does not concern it.
    detached: true,
  });
  const kill = () => killProbe(child.pid);
  signal.addEventListener("abort", kill, { once: true });
  if (signal.aborted) kill();
  deadline.start(kill);
  const output = new ProbeOutput();
  const streams = [child.stdout, child.stderr].map((stream) => stream.getReader());
  const copies = Promise.all(
    streams.map(async (stream) => {
      for (let { value } = await stream.read(); value !== undefined; { value } = await stream.read()) {
        output.append(value);
      }
    }),
  );
  const code = await child.exited;
  deadline.end();
  signal.removeEventListener("abort", kill);
  await settledWithin(copies, LINGER);
  await Promise.all(streams.map((stream) => stream.cancel()));
  return { code: child.signalCode === null ? code : KILLED, late: deadline.passed, output: output.text() };
}
