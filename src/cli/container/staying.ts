/** Stays with an existing container until it ends or the user detaches: `attach` and `start --attach`. */
import type { ContainerInspect } from "#api/types/container.ts";
import { followSize, proxySignals, pump } from "../attach.ts";
import { ExitError } from "../errors.ts";
import type { Session } from "../session.ts";
import { awaitExit, exitStatus } from "./waiting.ts";

export interface Stay {
  stdin: boolean;
  detachKeys: string;
  /** Start it once attached. */
  start: boolean;
  /** Pass our signals on. */
  proxy: boolean;
}

/** Resolves to the container's exit code, 0 where the user detached. */
export async function stayWith(session: Session, name: string, options: Stay): Promise<number> {
  const { daemon } = session;
  const { Id, State, Config } = await daemon.json<ContainerInspect>(
    "GET",
    `/containers/${encodeURIComponent(name)}/json`,
  );
  if (!options.start && !State.Running) throw new ExitError(1, "cannot attach to a stopped container, start it first");
  if (!options.start && State.Paused) throw new ExitError(1, "cannot attach to a paused container, unpause it first");
  const stdin = options.stdin && Config.OpenStdin;
  if (stdin && Config.Tty && !session.interactive) throw new ExitError(1, "the input device is not a TTY");
  const streams = { stdin, stdout: true, stderr: true, tty: Config.Tty, detachKeys: options.detachKeys };
  using _signals = options.proxy && !Config.Tty ? proxySignals(daemon, Id) : undefined;
  const [stream, { exit }] = await Promise.all([
    daemon.hijack(`/containers/${Id}/attach`, {
      query: { stream: true, stdin, stdout: true, stderr: true, detachKeys: options.detachKeys || undefined },
    }),
    awaitExit(daemon, Id, "next-exit"),
  ]);
  const pumped = pump(session, stream, streams);
  if (options.start) await daemon.send("POST", `/containers/${Id}/start`);
  using _size = Config.Tty && session.out.isTerminal ? await followSize(daemon, `/containers/${Id}/resize`) : undefined;
  return (await pumped) === "detached" ? 0 : exitStatus(await exit);
}
