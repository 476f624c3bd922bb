/** Which processes run in a container: `docker top`, by the host's ps(1). */
import type { TopResponse } from "#api/types/container.ts";
import { cgroupPath } from "#engine/spec/build.ts";
import { EngineError } from "#lib/errors.ts";
import { groupProcesses } from "#linux/cgroup-group.ts";
import type { Container } from "./container.ts";
import { announce, type EngineContext } from "./context.ts";
import { isRunning } from "./record.ts";

/**
 * `options` are those of ps. Rejects with "conflict" where it does not run, "unavailable" without ps, "invalid" for
 * options that hide the pid or that ps does not take.
 */
export async function listProcesses(
  context: EngineContext,
  container: Container,
  options: string,
): Promise<TopResponse> {
  const { state, record, id } = container;
  if (state.status === "restarting") {
    throw new EngineError("conflict", `Container ${id} is restarting, wait until the container is running`);
  }
  if (!isRunning(state)) throw new EngineError("conflict", `container ${id} is not running`);
  if (options.includes("\0")) throw new EngineError("invalid", "ps: the options contain nul byte (\\x00)");
  const renamed = /\s(\S+)=\s*(PID\S*)/.exec(` ${options}`);
  if (renamed !== null && renamed[1] !== "pid") {
    throw new EngineError("invalid", `specifying "${renamed[1]}=${renamed[2]}" is not allowed`);
  }
  const pids = new Set(groupProcesses(cgroupPath(record.hostConfig.CgroupParent, id)));
  const words = options.split(/\s+/).filter((word) => word !== "");
  // Some options exclude a choice of processes: all are listed then.
  let output = await ps([...words, `-q${[...pids].join(",")}`]);
  if ("problem" in output) output = await ps(words);
  if ("problem" in output) throw new EngineError("invalid", `ps: ${output.problem}`);
  const top = ofProcesses(output.text, pids);
  announce(context, container, "top");
  return top;
}

async function ps(words: readonly string[]): Promise<{ text: string } | { problem: string }> {
  const program = Bun.which("ps", { PATH: `${process.env["PATH"] ?? ""}:/usr/bin:/bin` });
  if (program === null) {
    throw new EngineError("unavailable", "the program ps is missing; install it: apt-get install procps");
  }
  const child = Bun.spawn([program, ...words], { stdio: ["ignore", "pipe", "pipe"] });
  const [text, problem, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return code === 0 ? { text } : { problem: problem.split("\n")[0] ?? "" };
}

function ofProcesses(text: string, pids: ReadonlySet<number>): TopResponse {
  const [head = "", ...lines] = text.split("\n").filter((line) => line.trim() !== "");
  const titles = head.trim().split(/\s+/);
  const pidColumn = titles.indexOf("PID");
  if (pidColumn < 0) throw new EngineError("invalid", "Couldn't find PID field in ps output");
  const processes: string[][] = [];
  let inside = false;
  for (const line of lines) {
    const words = line.trim().split(/\s+/);
    // A line without a number is a thread of the process above it.
    if (words[pidColumn] !== "-") inside = pids.has(Number(words[pidColumn]));
    if (!inside) continue;
    // The last column, the command, may hold spaces.
    const last = titles.length - 1;
    processes.push([...words.slice(0, last), words.slice(last).join(" ")]);
  }
  return { Titles: titles, Processes: processes };
}
