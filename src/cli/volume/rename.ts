/** `berth volume rename`. */
import { verb as define } from "../command.ts";

export const verb = define({
  use: "VOLUME NEW_NAME",
  details:
    "Rename a volume. Containers that use it follow, also while they run; a volume that had a random name\n" +
    "counts as named from then on.",
  flags: {},
  args: { min: 2, max: 2 },
  complete: ["volumes", []],
  async run(session, { args: [from = "", to = ""] }) {
    await session.daemon.send("POST", `/volumes/${encodeURIComponent(from)}/rename`, { query: { name: to } });
  },
});
