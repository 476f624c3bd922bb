/** `berth start`: starts containers again, and stays with one if asked to. */
import type { ContainerInspect } from "#api/types/container.ts";
import { errorMessage } from "#lib/errors.ts";
import { followSize, proxySignals, pump } from "../attach.ts";
import { verb as define } from "../command.ts";
import { parseDetachKeys } from "../detach-keys.ts";
import { ExitError } from "../errors.ts";
import { bool, string } from "../kinds.ts";
import type { Session } from "../session.ts";
import { awaitExit, exitStatus } from "./waiting.ts";

export const verb = define({
  use: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: {
    attach: bool("Attach STDOUT/STDERR and forward signals", { short: "a" }),
    "detach-keys": string("Override the key sequence for detaching a container"),
    interactive: bool("Attach container's STDIN", { short: "i" }),
  },
  args: { min: 1 },
  complete: ["stopped"],
  async run(session, { flags, args }) {
    if (!flags.attach && !flags.interactive) return startAll(session, args);
    const [name = "", ...others] = args;
    if (others.length > 0) throw new ExitError(1, "you cannot start and attach multiple containers at once");
    return startAttached(
      session,
      name,
      flags.interactive,
      flags["detach-keys"] || (session.preferences.detachKeys ?? ""),
    );
  },
});

async function startAll(session: Session, names: readonly string[]): Promise<number> {
  const failed: string[] = [];
  for (const name of names) {
    try {
      await session.daemon.send("POST", `/containers/${encodeURIComponent(name)}/start`);
      session.out.line(name);
    } catch (error) {
      if (error instanceof ExitError) throw error;
      session.err.line(errorMessage(error));
      failed.push(name);
    }
  }
  if (failed.length > 0) throw new ExitError(1, `Error: failed to start containers: ${failed.join(", ")}`);
  return 0;
}

async function startAttached(
  session: Session,
  name: string,
  interactive: boolean,
  detachKeys: string,
): Promise<number> {
  const { daemon } = session;
  parseDetachKeys(detachKeys);
  const { Id, Config, HostConfig } = await daemon.json<ContainerInspect>(
    "GET",
    `/containers/${encodeURIComponent(name)}/json`,
  );
  using _signals = Config.Tty ? undefined : proxySignals(daemon, Id);
  const stdin = interactive && Config.OpenStdin;
  const [stream, { exit }] = await Promise.all([
    daemon.hijack(`/containers/${Id}/attach`, {
      query: { stream: true, stdin, stdout: true, stderr: true, detachKeys: detachKeys || undefined },
    }),
    awaitExit(daemon, Id, HostConfig.AutoRemove ? "removed" : "next-exit"),
  ]);
  const pumped = pump(session, stream, { stdin, stdout: true, stderr: true, tty: Config.Tty, detachKeys });
  try {
    await daemon.send("POST", `/containers/${Id}/start`);
  } catch (error) {
    stream.close();
    await pumped.catch(() => undefined);
    throw error;
  }
  using _size = Config.Tty && session.out.isTerminal ? await followSize(daemon, `/containers/${Id}/resize`) : undefined;
  return (await pumped) === "detached" ? 0 : exitStatus(await exit);
}
