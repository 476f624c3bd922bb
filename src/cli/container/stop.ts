/** `berth stop`. */
import { verb as define } from "../command.ts";
import { forEach } from "../each.ts";
import { int, string } from "../kinds.ts";

export const verb = define({
  use: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: {
    signal: string("Signal to send to the container", { short: "s" }),
    time: int("Seconds to wait before killing the container", { short: "t", initial: -2 }),
    timeout: int("Seconds to wait before killing the container", { initial: -2, hidden: true }),
  },
  args: { min: 1 },
  complete: ["containers"],
  run(session, { flags, args }) {
    const seconds = flags.time === -2 ? flags.timeout : flags.time;
    const query = { signal: flags.signal || undefined, t: seconds === -2 ? undefined : seconds };
    return forEach(session, args, async (name) => {
      await session.daemon.send("POST", `/containers/${encodeURIComponent(name)}/stop`, { query });
      return name;
    });
  },
});
