/** `berth volume inspect`. */
import { verb as define } from "../command.ts";
import { objectFormat } from "../format.ts";
import { inspectAll } from "../inspecting.ts";

export const verb = define({
  use: "[OPTIONS] VOLUME [VOLUME...]",
  flags: { format: objectFormat("f") },
  args: { min: 1 },
  complete: ["volumes"],
  run(session, { flags, args }) {
    return inspectAll(session, args, flags.format, async (name) =>
      (await session.daemon.send("GET", `/volumes/${encodeURIComponent(name)}`)).text(),
    );
  },
});
