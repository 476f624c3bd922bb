/** `berth rm`: removes containers. */
import { verb as define } from "../command.ts";
import { DaemonError } from "../connection.ts";
import { forEach } from "../each.ts";
import { bool } from "../kinds.ts";

export const verb = define({
  use: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: {
    force: bool("Force the removal of a running container (uses SIGKILL)", { short: "f" }),
    link: bool("Remove the specified link", { short: "l" }),
    volumes: bool("Remove anonymous volumes associated with the container", { short: "v" }),
  },
  args: { min: 1 },
  complete: ["containers"],
  run(session, { flags, args }) {
    const query = { force: flags.force, link: flags.link, v: flags.volumes };
    return forEach(session, args, async (name) => {
      try {
        await session.daemon.send("DELETE", `/containers/${encodeURIComponent(name)}`, { query });
      } catch (error) {
        // Somebody else was faster: with --force that is as good.
        if (!(flags.force && error instanceof DaemonError && error.status === 404)) throw error;
      }
      return name;
    });
  },
});
