/** `berth attach`: joins a running container's streams. */
import type { ContainerInspect } from "#api/types/container.ts";
import { followSize, proxySignals, pump } from "../attach.ts";
import { verb as define } from "../command.ts";
import { parseDetachKeys } from "../detach-keys.ts";
import { ExitError } from "../errors.ts";
import { bool, string } from "../kinds.ts";
import type { Session } from "../session.ts";
import { awaitExit, exitStatus } from "./waiting.ts";

export const verb = define({
  use: "[OPTIONS] CONTAINER",
  flags: {
    "detach-keys": string("Override the key sequence for detaching a container"),
    "no-stdin": bool("Do not attach STDIN"),
    "sig-proxy": bool("Proxy all received signals to the process", { initial: true }),
  },
  args: { min: 1, max: 1 },
  complete: ["running"],
  async run(session, { flags, args: [name = ""] }) {
    const { daemon } = session;
    const { Id, Config } = await attachable(session, name);
    const stdin = !flags["no-stdin"] && Config.OpenStdin;
    if (!flags["no-stdin"] && Config.Tty && !session.interactive)
      throw new ExitError(1, "the input device is not a TTY");
    const detachKeys = flags["detach-keys"] || (session.preferences.detachKeys ?? "");
    parseDetachKeys(detachKeys);
    using _signals = flags["sig-proxy"] && !Config.Tty ? proxySignals(daemon, Id) : undefined;
    const [stream, { exit }] = await Promise.all([
      daemon.hijack(`/containers/${Id}/attach`, {
        query: { stream: true, stdin, stdout: true, stderr: true, detachKeys: detachKeys || undefined },
      }),
      awaitExit(daemon, Id, "not-running"),
    ]);
    const pumped = pump(session, stream, { stdin, stdout: true, stderr: true, tty: Config.Tty, detachKeys });
    using _size = Config.Tty && session.out.isTerminal ? await redraw(session, Id) : undefined;
    if ((await pumped) === "detached") throw new ExitError(1, "read escape sequence");
    return exitStatus(await exit);
  },
});

async function attachable(session: Session, name: string): Promise<ContainerInspect> {
  const container = await session.daemon.json<ContainerInspect>("GET", `/containers/${encodeURIComponent(name)}/json`);
  const refuse = (message: string) => new ExitError(1, message);
  if (!container.State.Running) throw refuse("You cannot attach to a stopped container, start it first");
  if (container.State.Paused) throw refuse("You cannot attach to a paused container, unpause it first");
  if (container.State.Restarting) throw refuse("You cannot attach to a restarting container, wait until it is running");
  return container;
}

/** Programs draw themselves again only when the size changes, so it first becomes another one. */
async function redraw(session: Session, id: string): Promise<Disposable> {
  const { terminalSize } = await import("../terminal.ts");
  const size = terminalSize(1);
  const path = `/containers/${id}/resize`;
  if (size)
    await session.daemon
      .send("POST", path, { query: { h: size.height + 1, w: size.width + 1 } })
      .catch(() => undefined);
  return followSize(session.daemon, path);
}
