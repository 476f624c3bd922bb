/** `berth network rm`. */
import { errorMessage } from "#lib/errors.ts";
import { verb as define } from "../command.ts";
import { DaemonError } from "../connection.ts";
import { ExitError } from "../errors.ts";
import { bool } from "../kinds.ts";

export const verb = define({
  use: "NETWORK [NETWORK...]",
  flags: { force: bool("Do not error if the network does not exist", { short: "f" }) },
  args: { min: 1 },
  complete: ["networks"],
  async run(session, { flags, args }) {
    let failed = false;
    for (const name of args) {
      try {
        await session.daemon.send("DELETE", `/networks/${encodeURIComponent(name)}`);
        session.out.line(name);
      } catch (error) {
        if (!(error instanceof DaemonError)) throw error;
        if (flags.force && error.status === 404) continue;
        session.err.line(errorMessage(error));
        failed = true;
      }
    }
    if (failed) throw new ExitError(1, "exit status 1");
  },
});
