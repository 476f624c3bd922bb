/** `berth volume create`. */
import { verb as define } from "../command.ts";
import type { Volume } from "#api/types/volume.ts";
import { checkLabel, labelMap } from "../container/option-checks.ts";
import { list, map, string } from "../kinds.ts";

export const verb = define({
  use: "[OPTIONS] [VOLUME]",
  flags: {
    driver: string("Specify volume driver name", { short: "d", initial: "local" }),
    label: list("Set metadata for a volume", { check: checkLabel }),
    opt: map("Set driver specific options", { short: "o" }),
  },
  args: { min: 0, max: 1 },

  async run(session, { flags, args }) {
    const body = { Name: args[0] ?? "", Driver: flags.driver, DriverOpts: flags.opt, Labels: labelMap(flags.label) };
    session.out.line((await session.daemon.json<Volume>("POST", "/volumes/create", { body })).Name);
  },
});
