/** `berth rm`: removes containers. */
import { verb as define } from "../command.ts";
import { DaemonError } from "../connection.ts";
import { forEach, Harmless } from "../each.ts";
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
    return forEach(session, args, async (name) => {
      const id = name.replace(/^\/+|\/+$/g, "");
      if (id === "") throw new Error("container name cannot be empty");
      try {
        await session.daemon.send("DELETE", `/containers/${encodeURIComponent(id)}`, {
          query: { v: flags.volumes, link: flags.link, force: flags.force },
        });
      } catch (error) {
        // Forced, a container that is not there is as good as removed.
        if (flags.force && error instanceof DaemonError && error.status === 404)
          throw new Harmless(error.message, { cause: error });
        throw error;
      }
    });
  },
});
