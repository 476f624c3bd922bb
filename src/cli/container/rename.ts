/** `berth rename`. */
import { verb as define } from "../command.ts";


export const verb = define({
  use: "CONTAINER NEW_NAME",
  flags: {},
  args: { min: 2, max: 2 },
  complete: ["containers"],
  async run(session, { args }) {
    const [name = "", newName] = args;
    await session.daemon.send("POST", `/containers/${encodeURIComponent(name)}/rename`, { query: { name: newName } });
  },
});
