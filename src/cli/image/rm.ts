/** `berth rmi`: removes images. */
import type { ImageDeleteItem } from "#api/types/image.ts";
import { errorMessage } from "#lib/errors.ts";
import { verb as define } from "../command.ts";
import { DaemonError } from "../connection.ts";
import { ExitError } from "../errors.ts";
import { bool, list } from "../kinds.ts";
import { parsePlatform } from "../platform.ts";
import { imagePath } from "./inspect.ts";

export const verb = define({
  use: "[OPTIONS] IMAGE [IMAGE...]",
  flags: {
    force: bool("Force removal of the image", { short: "f" }),
    "no-prune": bool("Do not delete untagged parents"),
    platform: list('Remove only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")', {
      comma: true,
    }),
  },
  args: { min: 1 },
  complete: ["images"],
  async run(session, { flags, args }) {
    const errors: string[] = [];
    let fatal = false;
    for (const name of args) {
      try {
        const removed = await session.daemon.json<ImageDeleteItem[]>("DELETE", `/images/${imagePath(name)}`, {
          query: {
            force: flags.force,
            noprune: flags["no-prune"],
            platforms: flags.platform.flatMap((text) => parsePlatform(text) ?? []),
          },
        });
        for (const { Untagged, Deleted } of removed)
          session.out.line(Deleted ? `Deleted: ${Deleted}` : `Untagged: ${Untagged}`);
      } catch (error) {
        if (!(error instanceof DaemonError)) throw error;
        fatal ||= error.status !== 404;
        errors.push(errorMessage(error));
      }
    }
    if (errors.length === 0) return;
    // Forced, an image that is not there is as good as removed.
    if (fatal || !flags.force) throw new ExitError(1, errors.join("\n"));
    session.err.line(errors.join("\n"));
  },
});
