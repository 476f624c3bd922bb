/** `berth commit`. */
import { verb as define } from "../command.ts";
import type { CommitResponse } from "#api/types/container.ts";
import { bool, list, string } from "../kinds.ts";
import { splitReference } from "../names.ts";

export const verb = define({
  use: "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
  flags: {
    author: string("Author (e.g., \"John Hannibal Smith <hannibal@a-team.com>\")", { short: "a" }),
    change: list("Apply Dockerfile instruction to the created image", { short: "c" }),
    message: string("Commit message", { short: "m" }),
    pause: bool("Pause container during commit", { short: "p", initial: true }),
  },
  args: { min: 1, max: 2 },
  complete: ["containers"],
  async run(session, { flags, args }) {
    const [container, reference = ""] = args;
    const { repo, tag } = splitReference(reference);
    const query = { container, repo, tag, author: flags.author, comment: flags.message, changes: flags.change, pause: String(flags.pause) };
    const { Id } = await session.daemon.json<CommitResponse>("POST", "/commit", { query });
    session.out.line(Id);
  },
});
