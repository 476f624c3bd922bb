/** `berth unpause`. */
import { verb as define } from "../command.ts";
import { forEach } from "../each.ts";

export const verb = define({
  use: "CONTAINER [CONTAINER...]",
  flags: {},
  args: { min: 1 },
  complete: ["containers"],
  run(session, { args }) {
    return forEach(session, args, async (name) => {
      await session.daemon.send("POST", `/containers/${encodeURIComponent(name)}/unpause`);
      return name;
    });
  },
});
