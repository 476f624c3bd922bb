/** `berth exec`: runs a command in a running container. */
import { verb as define } from "../command.ts";
import type { ExecCreateResponse, ExecInspect } from "#api/types/exec.ts";
import { followSize, pump } from "../attach.ts";
import { ExitError } from "../errors.ts";
import { bool, list, string } from "../kinds.ts";

export const verb = define({
  use: "[OPTIONS] CONTAINER COMMAND [ARG...]",
  flags: {
    detach: bool("Detached mode: run command in the background", { short: "d" }),
    "detach-keys": string("Override the key sequence for detaching a container"),
    env: list("Set environment variables", { short: "e" }),
    interactive: bool("Keep STDIN open even if not attached", { short: "i" }),
    privileged: bool("Give extended privileges to the command"),
    tty: bool("Allocate a pseudo-TTY", { short: "t" }),
    user: string("Username or UID (format: \"<name|uid>[:<group|gid>]\")", { short: "u" }),
    workdir: string("Working directory inside the container", { short: "w" }),
  },
  args: { min: 2 },
  complete: ["containers"],
  interspersed: false,
  async run(session, { flags, args }) {
    const { daemon } = session;
    const [name = "", ...command] = args;
    if (flags.interactive && flags.tty && !flags.detach && !session.interactive) throw new ExitError(1, "the input device is not a TTY");
    const streams = { stdin: flags.interactive && !flags.detach, stdout: !flags.detach, stderr: !flags.detach, tty: flags.tty, detachKeys: flags["detach-keys"] };
    const { Id } = await daemon.json<ExecCreateResponse>("POST", `/containers/${encodeURIComponent(name)}/exec`, {
      body: {
        Cmd: command,
        Env: flags.env.map((entry) => (entry.includes("=") ? entry : `${entry}=${session.env[entry] ?? ""}`)),
        User: flags.user,
        WorkingDir: flags.workdir,
        Privileged: flags.privileged,
        Tty: flags.tty,
        AttachStdin: streams.stdin,
        AttachStdout: streams.stdout,
        AttachStderr: streams.stderr,
        DetachKeys: flags["detach-keys"],
      },
    });
    if (flags.detach) {
      await daemon.send("POST", `/exec/${Id}/start`, { body: { Detach: true, Tty: flags.tty } });
      return 0;
    }
    const stream = await daemon.hijack(`/exec/${Id}/start`, { body: { Detach: false, Tty: flags.tty } });
    const pumped = pump(session, stream, streams);
    using _size = flags.tty && session.out.isTerminal ? await followSize(daemon, `/exec/${Id}/resize`) : undefined;
    if ((await pumped) === "detached") return 0;
    const { ExitCode } = await daemon.json<ExecInspect>("GET", `/exec/${Id}/json`);
    return ExitCode ?? 0;
  },
});
