/** `berth wait`: prints exit codes. */
import { verb as define } from "../command.ts";
import { forEach } from "../each.ts";
import { awaitExit, exitStatus } from "./waiting.ts";

export const verb = define({
  use: "CONTAINER [CONTAINER...]",
  flags: {},
  args: { min: 1 },
  complete: ["containers"],
  run(session, { args }) {
    return forEach(session, args, async (name) => {
      const { exit } = await awaitExit(session.daemon, encodeURIComponent(name), "not-running");
      return String(exitStatus(await exit));
    });
  },
});
