/** `berth rename`. */
import { errorMessage } from "#lib/errors.ts";
import { verb as define } from "../command.ts";
import { ExitError } from "../errors.ts";

export const verb = define({
  use: "CONTAINER NEW_NAME",
  flags: {},
  args: { min: 2, max: 2 },
  complete: ["containers", []],
  async run(session, { args }) {
    const [from = "", to = ""] = args.map((name) => name.trim());
    if (from === "" || to === "") throw new ExitError(1, "Error: Neither old nor new names may be empty");
    try {
      await session.daemon.send("POST", `/containers/${encodeURIComponent(from)}/rename`, { query: { name: to } });
    } catch (error) {
      throw new ExitError(1, `${errorMessage(error)}\nError: failed to rename container named ${from}`, {
        cause: error,
      });
    }
  },
});
