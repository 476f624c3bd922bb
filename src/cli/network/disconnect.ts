/** `berth network disconnect`: takes a container out of a network. */
import { verb as define } from "../command.ts";
import { bool } from "../kinds.ts";

export const verb = define({
  use: "[OPTIONS] NETWORK CONTAINER",
  flags: { force: bool("Force the container to disconnect from a network", { short: "f" }) },
  args: { min: 2, max: 2 },
  complete: ["networks", "containers"],
  async run(session, { flags, args: [network = "", container = ""] }) {
    await session.daemon.send("POST", `/networks/${encodeURIComponent(network)}/disconnect`, {
      body: { Container: container, Force: flags.force },
    });
  },
});
