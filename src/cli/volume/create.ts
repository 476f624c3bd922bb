/** `berth volume create`. */
import { verb as define } from "../command.ts";
import type { Volume } from "#api/types/volume.ts";
import { checkLabel, labelMap } from "../container/option-checks.ts";
import { ExitError } from "../errors.ts";
import { list, map, string } from "../kinds.ts";
import { clusterFlags, clusterSpec } from "./cluster.ts";

export const verb = define({
  use: "[OPTIONS] [VOLUME]",
  flags: {
    ...clusterFlags,
    driver: string("Specify volume driver name", { short: "d", initial: "local" }),
    label: list("Set metadata for a volume", { check: checkLabel }),
    name: string("Specify volume name", { hidden: true }),
    opt: map("Set driver specific options", { short: "o" }),
  },
  args: { min: 0, max: 1 },

  async run(session, { flags, args, changed }) {
    if (args.length > 0 && flags.name !== "") {
      throw new ExitError(
        1,
        "conflicting options: cannot specify a volume-name through both --name and as a positional arg",
      );
    }
    const spec = clusterSpec(flags, changed);
    const body = {
      Name: args[0] ?? flags.name,
      Driver: flags.driver,
      DriverOpts: flags.opt,
      Labels: labelMap(flags.label),
      ...(spec && { ClusterVolumeSpec: spec }),
    };
    session.out.line((await session.daemon.json<Volume>("POST", "/volumes/create", { body })).Name);
  },
});
