/** `berth import`: makes an image of a file system in a tar archive. */
import { familiarName, parseReference } from "#oci/reference.ts";
import { verb as define } from "../command.ts";
import { list, string } from "../kinds.ts";
import { showProgress } from "../progress.ts";
import { archiveFile } from "./archive-file.ts";

export const verb = define({
  use: "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
  flags: {
    change: list("Apply Dockerfile instruction to the created image", { short: "c" }),
    message: string("Set commit message for imported image", { short: "m" }),
    platform: string("Set platform if server is multi-platform capable"),
  },
  args: { min: 1, max: 2 },
  complete: ["files", "images"],
  async run(session, { flags, args: [source = "", target] }) {
    const remote = /^(?:https?|git|github\.com):?\/\//.test(source);
    const reference = target === undefined ? undefined : parseReference(target);
    const response = await session.daemon.send("POST", "/images/create", {
      query: {
        fromSrc: remote ? source : "-",
        repo: reference && familiarName(reference),
        tag: reference && (reference.tag ?? "latest"),
        message: flags.message || undefined,
        changes: flags.change,
        platform: flags.platform || undefined,
      },
      headers: { "Content-Type": "application/x-tar" },
      ...(remote ? {} : { body: source === "-" ? Bun.stdin.stream() : archiveFile(source) }),
    });
    await showProgress(response, session.out);
  },
});
