/** `berth volume rm`. */
import { verb as define } from "../command.ts";
import { forEach } from "../each.ts";
import { bool } from "../kinds.ts";

export const verb = define({
  use: "[OPTIONS] VOLUME [VOLUME...]",
  flags: { force: bool("Force the removal of one or more volumes", { short: "f" }) },
  args: { min: 1 },
  complete: ["volumes"],
  run(session, { flags, args }) {
    return forEach(session, args, async (name) => {
      await session.daemon.send("DELETE", `/volumes/${encodeURIComponent(name)}`, { query: { force: flags.force } });
      return name;
    });
  },
});
