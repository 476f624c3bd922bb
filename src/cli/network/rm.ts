/** `berth network rm`. */
import { verb as define } from "../command.ts";
import { forEach } from "../each.ts";

export const verb = define({
  use: "NETWORK [NETWORK...]",
  flags: {},
  args: { min: 1 },
  complete: ["networks"],
  run(session, { args }) {
    return forEach(session, args, async (name) => {
      await session.daemon.send("DELETE", `/networks/${encodeURIComponent(name)}`);
      return name;
    });
  },
});
