/** `berth unpause`: lets frozen containers go on. */
import { verb as define } from "../command.ts";
import { forEach } from "../each.ts";

export const verb = define({
  use: "CONTAINER [CONTAINER...]",
  flags: {},
  args: { min: 1 },
  complete: ["containers"],
  run(session, { args }) {
    return forEach(
      session,
      args,
      async (id) => void (await session.daemon.send("POST", `/containers/${encodeURIComponent(id)}/unpause`)),
    );
  },
});
