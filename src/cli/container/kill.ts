/** `berth kill`: sends containers a signal. */
import { verb as define } from "../command.ts";
import { forEach } from "../each.ts";
import { string } from "../kinds.ts";
import { signalFlag } from "./stopping.ts";

export const verb = define({
  use: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: { signal: string("Signal to send to the container", signalFlag) },
  args: { min: 1 },
  complete: ["running"],
  run(session, { flags, args }) {
    return forEach(session, args, async (id) => {
      await session.daemon.send("POST", `/containers/${encodeURIComponent(id)}/kill`, {
        query: { signal: flags.signal || undefined },
      });
    });
  },
});
