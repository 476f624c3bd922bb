/** `berth pull`: downloads an image from a registry. */
import { familiarReference, formatReference, parseReference, repositoryName, withDefaultTag } from "#oci/reference.ts";
import { verb as define } from "../command.ts";
import { ExitError } from "../errors.ts";
import { bool, string } from "../kinds.ts";
import { pullImage } from "./pulling.ts";

export const verb = define({
  use: "[OPTIONS] NAME[:TAG|@DIGEST]",
  flags: {
    "all-tags": bool("Download all tagged images in the repository", { short: "a" }),
    "disable-content-trust": bool("Skip image verification", { initial: true }),
    platform: string("Set platform if server is multi-platform capable"),
    quiet: bool("Suppress verbose output", { short: "q" }),
  },
  args: { min: 1, max: 1 },
  async run(session, { flags, args: [name = ""] }) {
    if (!flags["disable-content-trust"]) throw new ExitError(1, "content trust is not available");
    const reference = parseReference(name);
    const bare = reference.tag === undefined && reference.digest === undefined;
    if (flags["all-tags"] && !bare) throw new ExitError(1, "tag can't be used with --all-tags/-a");
    const whole = flags["all-tags"] ? reference : withDefaultTag(reference);
    if (bare && !flags["all-tags"] && !flags.quiet) session.out.line(`Using default tag: ${whole.tag}`);
    const platform = flags.platform || (session.env["DOCKER_DEFAULT_PLATFORM"] ?? "");
    await pullImage(session, familiarReference(whole), {
      platform,
      all: flags["all-tags"],
      ...(flags.quiet ? {} : { output: session.out }),
    });
    session.out.line(flags["all-tags"] ? repositoryName(whole) : formatReference(whole));
  },
});
