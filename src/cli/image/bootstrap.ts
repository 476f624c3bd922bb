/** `berth image bootstrap`: makes a first image without a registry. */
import { verb as define } from "../command.ts";
import { string } from "../kinds.ts";
import { showProgress } from "../progress.ts";

export const verb = define({
  use: "[OPTIONS] NAME",
  flags: { mirror: string("Base URL of a package mirror") },
  args: { min: 1, max: 1 },

  async run(session, { flags, args }) {
    const query = { name: args[0], mirror: flags.mirror || undefined };
    await showProgress(await session.daemon.send("POST", "/images/bootstrap", { query }), session.out);
  },
});
