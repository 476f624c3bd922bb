/** `berth container inspect`. */
import { verb as define } from "../command.ts";
import { objectFormat } from "../format.ts";
import { inspectAll } from "../inspecting.ts";
import { bool } from "../kinds.ts";

export const verb = define({
  use: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: { format: objectFormat("f"), size: bool("Display total file sizes", { short: "s" }) },
  args: { min: 1 },
  complete: ["containers"],
  run(session, { flags, args }) {
    return inspectAll(session, args, flags.format, async (name) =>
      (
        await session.daemon.send("GET", `/containers/${encodeURIComponent(name)}/json`, {
          query: { size: flags.size },
        })
      ).text(),
    );
  },
});
