/** `berth network inspect`. */
import { verb as define } from "../command.ts";
import { objectFormat } from "../format.ts";
import { inspectAll } from "../inspecting.ts";
import { bool } from "../kinds.ts";

export const verb = define({
  use: "[OPTIONS] NETWORK [NETWORK...]",
  flags: { format: objectFormat("f"), verbose: bool("Verbose output for diagnostics", { short: "v" }) },
  args: { min: 1 },
  complete: ["networks"],
  run(session, { flags, args }) {
    return inspectAll(session, args, flags.format, async (name) =>
      (
        await session.daemon.send("GET", `/networks/${encodeURIComponent(name)}`, { query: { verbose: flags.verbose } })
      ).text(),
    );
  },
});
