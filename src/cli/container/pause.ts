/** `berth pause`: freezes all processes of containers. */
import { verb as define } from "../command.ts";
import { forEach } from "../each.ts";

export const verb = define({
  use: "CONTAINER [CONTAINER...]",
  flags: {},
  args: { min: 1 },
  complete: ["running"],
  run(session, { args }) {
    return forEach(
      session,
      args,
      async (id) => void (await session.daemon.send("POST", `/containers/${encodeURIComponent(id)}/pause`)),
    );
  },
});
