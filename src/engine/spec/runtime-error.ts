/** Says what an OCI runtime printed in the words (and with the exit code) that Docker's users and scripts know. */

export interface RuntimeFailure {
  /** Without the CLI's `Error response from daemon: ` in front. */
  message: string;
  /** What `docker run` exits with: 127 not found, 126 not executable, 128 anything else of the runtime. */
  exitCode: number;
}

type Verb = "create" | "start" | "exec";

const NOT_FOUND = /executable file .*not found|missing dynamic library|no such file or directory/i;
const NOT_EXECUTABLE = /^open executable|permission denied|is a directory|exec format error|operation not permitted/i;

/**
 * `stderr` is what crun or runc printed (JSON log lines too), `args0` the program asked for, `verb` what was tried.
 */
export function translateRuntimeError(stderr: string, args0: string, verb: Verb = "create"): RuntimeFailure {
  const problem = plainText(stderr);
  const reason = programProblem(problem, args0);
  if (reason === undefined) return { message: wrap(verb, profileProblem(problem) ?? problem), exitCode: 128 };
  return {
    message: wrap(verb, `exec: "${args0}": ${reason.text}`),
    exitCode: reason.exitCode,
  };
}

/** Of an AppArmor profile that the kernel does not take crun names only the file that it wrote its name to. */
function profileProblem(problem: string): string | undefined {
  const [, file, why = ""] = /^write [^`]*`([^`]*attr\/(?:apparmor\/)?exec)`: (.*)$/i.exec(problem) ?? [];
  if (file === undefined) return undefined;
  return (
    "error during container init: unable to apply apparmor profile: " +
    `apparmor failed to apply profile: write ${file}: ${why.toLowerCase()}`
  );
}

/** Why the program itself could not be run; undefined where something else was wrong. */
function programProblem(problem: string, args0: string): { text: string; exitCode: number } | undefined {
  const aboutProgram = /executable|exec container process|exec:|execve/i.test(problem);
  if (!aboutProgram) return undefined;
  if (NOT_FOUND.test(problem)) {
    const text = args0.includes("/")
      ? `stat ${args0}: no such file or directory`
      : "executable file not found in $PATH";
    return { text, exitCode: 127 };
  }
  if (/exec format error/i.test(problem)) return { text: "exec format error", exitCode: 126 };
  if (/not a directory/i.test(problem)) return { text: `stat ${args0}: not a directory`, exitCode: 126 };
  if (/operation not permitted|is a directory/i.test(problem))
    return { text: "is a directory: permission denied", exitCode: 126 };
  if (NOT_EXECUTABLE.test(problem)) return { text: "permission denied", exitCode: 126 };
  return { text: problem, exitCode: 126 };
}

function wrap(verb: Verb, problem: string): string {
  if (verb === "exec")
    return `OCI runtime exec failed: exec failed: unable to start container process: ${problem}: unknown`;
  return (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: " +
    `unable to start container process: ${problem}: unknown`
  );
}

/** Takes runc's and crun's JSON log lines and `level=error msg=` prefixes away. */
function plainText(stderr: string): string {
  const lines = stderr
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line) => {
      if (!line.startsWith("{")) return line.replace(/^time="[^"]*" level=\w+ msg="(.*)"$/, "$1");
      try {
        return (JSON.parse(line) as { msg?: string }).msg ?? line;
      } catch {
        return line;
      }
    });
  return lines.join(": ") || "the runtime gave no reason";
}
