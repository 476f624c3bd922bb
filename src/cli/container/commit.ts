/** `berth commit`: makes an image of a container. */
import { familiarName, parseReference } from "#oci/reference.ts";
import type { CommitResponse } from "#api/types/container.ts";
import { verb as define } from "../command.ts";
import { bool, list, string } from "../kinds.ts";

export const verb = define({
  use: "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
  flags: {
    author: string('Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")', { short: "a" }),
    change: list("Apply Dockerfile instruction to the created image", { short: "c" }),
    message: string("Commit message", { short: "m" }),
    pause: bool("Pause container during commit", { short: "p", initial: true }),
  },
  args: { min: 1, max: 2 },
  complete: ["containers", "images"],
  async run(session, { flags, args: [container = "", target] }) {
    const reference = target === undefined ? undefined : parseReference(target);
    const { Id } = await session.daemon.json<CommitResponse>("POST", "/commit", {
      query: {
        container,
        repo: reference && familiarName(reference),
        tag: reference && (reference.tag ?? "latest"),
        author: flags.author || undefined,
        comment: flags.message || undefined,
        changes: flags.change,
        pause: flags.pause ? undefined : "0",
      },
      body: {},
    });
    session.out.line(Id);
  },
});
