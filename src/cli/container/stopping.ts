/** What `stop` and `restart` share: a signal, a time to wait, and many containers. */
import type { Parsed } from "../flags.ts";
import { forEach } from "../each.ts";
import { int, string } from "../kinds.ts";
import type { Session } from "../session.ts";

export const signalFlag = {
  short: "s",
  complete: ["SIGHUP", "SIGINT", "SIGKILL", "SIGQUIT", "SIGSTOP", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGWINCH"],
} as const;

export const stopFlags = {
  signal: string("Signal to send to the container", signalFlag),
  time: int("Seconds to wait before killing the container", { hidden: true }),
  timeout: int("Seconds to wait before killing the container", { short: "t" }),
};

/** Without a time the daemon uses the container's own. */
export function stopEach(
  session: Session,
  action: "stop" | "restart",
  { flags, args, changed }: Parsed<typeof stopFlags>,
): Promise<void> {
  const seconds = changed.has("timeout") ? flags.timeout : changed.has("time") ? flags.time : undefined;
  return forEach(session, args, async (id) => {
    await session.daemon.send("POST", `/containers/${encodeURIComponent(id)}/${action}`, {
      query: { signal: flags.signal || undefined, t: seconds },
    });
  });
}
