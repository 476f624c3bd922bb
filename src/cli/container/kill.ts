/** `berth kill`. */
import { verb as define } from "../command.ts";
import { forEach } from "../each.ts";
import { string } from "../kinds.ts";

export const verb = define({
  use: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: { signal: string("Signal to send to the container", { short: "s" }) },
  args: { min: 1 },
  complete: ["containers"],
  run(session, { flags, args }) {
    return forEach(session, args, async (name) => {
      await session.daemon.send("POST", `/containers/${encodeURIComponent(name)}/kill`, { query: { signal: flags.signal || "KILL" } });
      return name;
    });
  },
});
