/** `berth restart`: stops and starts containers. */
import { verb as define } from "../command.ts";
import { stopEach, stopFlags } from "./stopping.ts";

export const verb = define({
  use: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: stopFlags,
  args: { min: 1 },
  complete: ["containers"],
  run: (session, parsed) => stopEach(session, "restart", parsed),
});
