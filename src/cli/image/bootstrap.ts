/** `berth image bootstrap`: makes a first image where no registry can be reached. */
import { verb as define } from "../command.ts";
import { string } from "../kinds.ts";
import { showProgress } from "../progress.ts";

export const verb = define({
  use: "[OPTIONS] busybox|debian:SUITE",
  flags: { mirror: string("Address of the package mirror, instead of the distribution's own") },
  args: { min: 1, max: 1 },
  complete: [["busybox", "debian:bookworm", "debian:trixie"]],
  details:
    "Make a first image without a registry: busybox from the host's own program,\nor debian:SUITE from the packages of a Debian mirror",
  async run(session, { flags, args: [name = ""] }) {
    const response = await session.daemon.send("POST", "/images/bootstrap", {
      query: { name, mirror: flags.mirror || undefined },
    });
    await showProgress(response, session.out);
  },
});
