/** `berth exec`: runs a further program in a container. */
import type { ExecCreateBody, ExecCreateResponse, ExecInspect } from "#api/types/exec.ts";
import { followSize, pump } from "../attach.ts";
import { verb as define } from "../command.ts";
import { parseDetachKeys } from "../detach-keys.ts";
import { ExitError } from "../errors.ts";
import { bool, list, string } from "../kinds.ts";
import type { Session } from "../session.ts";
import { checkEnv, readKeyValues } from "./option-checks.ts";

export const verb = define({
  use: "[OPTIONS] CONTAINER COMMAND [ARG...]",
  flags: {
    detach: bool("Detached mode: run command in the background", { short: "d" }),
    "detach-keys": string("Override the key sequence for detaching a container"),
    env: list("Set environment variables", { short: "e", check: checkEnv }),
    "env-file": list("Read in a file of environment variables", { complete: "files" }),
    interactive: bool("Keep STDIN open even if not attached", { short: "i" }),
    privileged: bool("Give extended privileges to the command"),
    tty: bool("Allocate a pseudo-TTY", { short: "t" }),
    user: string('Username or UID (format: "<name|uid>[:<group|gid>]")', { short: "u" }),
    workdir: string("Working directory inside the container", { short: "w" }),
  },
  args: { min: 2 },
  interspersed: false,
  complete: ["running", []],
  async run(session, { flags, args: [name = "", ...command] }) {
    const { daemon } = session;
    const container = `/containers/${encodeURIComponent(name)}`;
    const stdin = flags.interactive && !flags.detach;
    if (stdin && flags.tty && !session.interactive) {
      // A container that is not there is the better reason to fail.
      await daemon.send("GET", `${container}/json`);
      throw new ExitError(1, "the input device is not a TTY");
    }
    const detachKeys = flags["detach-keys"] || (session.preferences.detachKeys ?? "");
    parseDetachKeys(detachKeys);
    const size = flags.tty ? await consoleSize(session) : undefined;
    const body: ExecCreateBody = {
      User: flags.user,
      Privileged: flags.privileged,
      Tty: flags.tty,
      ...(size ? { ConsoleSize: size } : {}),
      AttachStdin: stdin,
      AttachStdout: !flags.detach,
      AttachStderr: !flags.detach,
      DetachKeys: detachKeys,
      Env: [
        ...flags["env-file"].flatMap((path) => readKeyValues(path, (variable) => process.env[variable])),
        ...flags.env,
      ],
      WorkingDir: flags.workdir,
      Cmd: command,
    };
    const { Id } = await daemon.json<ExecCreateResponse>("POST", `${container}/exec`, { body });
    const start = { Detach: flags.detach, Tty: flags.tty, ...(size ? { ConsoleSize: size } : {}) };
    if (flags.detach) {
      await daemon.send("POST", `/exec/${Id}/start`, { body: start });
      return 0;
    }
    const stream = await daemon.hijack(`/exec/${Id}/start`, { body: start });
    using _size = flags.tty && session.out.isTerminal ? await followSize(daemon, `/exec/${Id}/resize`) : undefined;
    const ending = await pump(session, stream, { stdin, stdout: true, stderr: true, tty: flags.tty, detachKeys });
    if (ending === "detached") throw new ExitError(1, "read escape sequence");
    const { ExitCode } = await daemon.json<ExecInspect>("GET", `/exec/${Id}/json`);
    return ExitCode ?? 0;
  },
});

async function consoleSize(session: Session): Promise<[number, number] | undefined> {
  if (!session.out.isTerminal) return undefined;
  const { terminalSize } = await import("../terminal.ts");
  const size = terminalSize(1);
  return size && [size.height, size.width];
}
