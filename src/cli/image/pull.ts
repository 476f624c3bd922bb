/** `berth pull`. */
import { verb as define } from "../command.ts";
import { formatReference, parseReference, withDefaultTag } from "#oci/reference.ts";
import { bool, string } from "../kinds.ts";
import { pullImage } from "./pulling.ts";

export const verb = define({
  use: "[OPTIONS] NAME[:TAG|@DIGEST]",
  flags: {
    platform: string("Set platform if server is multi-platform capable"),
    quiet: bool("Suppress verbose output", { short: "q" }),
  },
  args: { min: 1, max: 1 },

  async run(session, { flags, args }) {
    const [name = ""] = args;
    const reference = formatReference(withDefaultTag(parseReference(name)));
    if (!flags.quiet && !/[:@]/.test(name.slice(name.lastIndexOf("/") + 1))) session.out.line("Using default tag: latest");
    await pullImage(session, name, { platform: flags.platform, ...(!flags.quiet && { output: session.out }) });
    session.out.line(reference);
  },
});
