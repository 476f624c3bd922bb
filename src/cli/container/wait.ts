/** `berth wait`: prints the exit codes of containers once they have ended. */
import { verb as define } from "../command.ts";
import { forEach } from "../each.ts";
import { awaitExit } from "./waiting.ts";

export const verb = define({
  use: "CONTAINER [CONTAINER...]",
  flags: {},
  args: { min: 1 },
  complete: ["running"],
  run(session, { args }) {
    return forEach(session, args, async (id) => {
      const { exit } = await awaitExit(session.daemon, encodeURIComponent(id), "not-running");
      return String((await exit).StatusCode);
    });
  },
});
