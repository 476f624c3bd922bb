/** `berth rmi`: removes images. */
import { verb as define } from "../command.ts";
import type { ImageDeleteItem } from "#api/types/image.ts";
import { forEach } from "../each.ts";
import { bool } from "../kinds.ts";

export const verb = define({
  use: "[OPTIONS] IMAGE [IMAGE...]",
  flags: {
    force: bool("Force removal of the image", { short: "f" }),
    "no-prune": bool("Do not delete untagged parents"),
  },
  args: { min: 1 },
  complete: ["images"],
  run(session, { flags, args }) {
    return forEach(session, args, async (name) => {
      const query = { force: flags.force, noprune: flags["no-prune"] };
      const removed = await session.daemon.json<ImageDeleteItem[]>("DELETE", `/images/${encodeURIComponent(name)}`, { query });
      return removed.map(({ Untagged, Deleted }) => (Untagged === undefined ? `Deleted: ${Deleted}` : `Untagged: ${Untagged}`)).join("\n");
    });
  },
});
