/** `berth stop`: stops containers, by force once their time is up. */
import { verb as define } from "../command.ts";
import { stopEach, stopFlags } from "./stopping.ts";

export const verb = define({
  use: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: stopFlags,
  args: { min: 1 },
  complete: ["running"],
  run: (session, parsed) => stopEach(session, "stop", parsed),
});
