/** `berth run`: creates a container, starts it, and stays with it unless told otherwise. */
import { pump, proxySignals, followSize, type Streams } from "../attach.ts";
import { verb as define } from "../command.ts";
import type { Hijacked } from "../hijacked.ts";
import { parseDetachKeys } from "../detach-keys.ts";
import { ExitError } from "../errors.ts";
import { bool, string } from "../kinds.ts";
import type { Session } from "../session.ts";
import { bodyOf, createContainer, runFailure, type CreationOptions } from "./creation.ts";
import { containerFlags, creationFlags } from "./options.ts";
import { awaitExit, exitStatus } from "./waiting.ts";

export const verb = define({
  use: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  flags: {
    ...containerFlags,
    ...creationFlags,
    detach: bool("Run container in background and print container ID", { short: "d" }),
    "detach-keys": string("Override the key sequence for detaching a container"),
    "sig-proxy": bool("Proxy received signals to the process", { initial: true }),
  },
  args: { min: 1 },
  interspersed: false,
  complete: ["images"],
  async run(session, parsed) {
    const { flags } = parsed;
    const body = bodyOf("run", parsed);
    if (flags.detach) {
      if (flags.attach.length > 0)
        throw new ExitError(1, "conflicting options: cannot specify both --attach and --detach");
      Object.assign(body, { AttachStdin: false, AttachStdout: false, AttachStderr: false, StdinOnce: false });
    } else if (body.AttachStdin && flags.tty && !session.interactive)
      throw new ExitError(1, "the input device is not a TTY");
    const detachKeys = flags["detach-keys"] || (session.preferences.detachKeys ?? "");
    parseDetachKeys(detachKeys);
    if (flags.tty && session.out.isTerminal) {
      const { terminalSize } = await import("../terminal.ts");
      const size = terminalSize(1);
      if (size && body.HostConfig) body.HostConfig.ConsoleSize = [size.height, size.width];
    }
    try {
      if (!body.AttachStdin && !body.AttachStdout && !body.AttachStderr) return await background(session, parsed, body);
      return await foreground(session, parsed, body, detachKeys);
    } catch (error) {
      throw runFailure("run", error);
    }
  },
});

type Body = ReturnType<typeof bodyOf>;

async function background(session: Session, parsed: CreationOptions, body: Body): Promise<number> {
  const id = await createContainer(session, parsed, body);
  await session.daemon.send("POST", `/containers/${id}/start`);
  session.out.line(id);
  return 0;
}

async function foreground(
  session: Session,
  parsed: CreationOptions & { flags: { "sig-proxy": boolean } },
  body: Body,
  detachKeys: string,
): Promise<number> {
  const { daemon } = session;
  const { flags } = parsed;
  const id = await createContainer(session, parsed, body);
  using _signals = flags["sig-proxy"] ? proxySignals(daemon, id) : undefined;
  const streams = {
    stdin: body.AttachStdin === true,
    stdout: body.AttachStdout === true,
    stderr: body.AttachStderr === true,
    tty: flags.tty,
    detachKeys,
  };
  // Both must be in place before the start, neither needs the other.
  const [stream, { exit }] = await Promise.all([
    attach(session, id, streams),
    awaitExit(daemon, id, flags.rm ? "removed" : "next-exit"),
  ]);
  const pumped = pump(session, stream, streams);
  try {
    await daemon.send("POST", `/containers/${id}/start`);
  } catch (error) {
    stream.close();
    await pumped.catch(() => undefined);
    if (flags.rm) await exit.catch(() => undefined);
    throw error;
  }
  using _size = flags.tty && session.out.isTerminal ? await followSize(daemon, `/containers/${id}/resize`) : undefined;
  // Output may still be under way when the exit is known; without output nothing else would end the stream.
  const ending =
    streams.stdout || streams.stderr ? await pumped : await Promise.race([pumped, exit.then(() => "ended" as const)]);
  return ending === "detached" ? 0 : exitStatus(await exit);
}

function attach(session: Session, id: string, { stdin, stdout, stderr, detachKeys }: Streams): Promise<Hijacked> {
  return session.daemon.hijack(`/containers/${id}/attach`, {
    query: { stream: true, stdin, stdout, stderr, detachKeys: detachKeys || undefined },
  });
}
