/** `berth push`: uploads an image to a registry. */
import { familiarName, parseReference } from "#oci/reference.ts";
import { verb as define } from "../command.ts";
import { ExitError } from "../errors.ts";
import { bool, string } from "../kinds.ts";
import { parsePlatform } from "../platform.ts";
import { showProgress } from "../progress.ts";
import { imagePath } from "./inspect.ts";

export const verb = define({
  use: "[OPTIONS] NAME[:TAG]",
  flags: {
    "all-tags": bool("Push all tags of an image to the repository", { short: "a" }),
    "disable-content-trust": bool("Skip image signing", { initial: true }),
    platform: string(
      "Push a platform-specific manifest as a single-platform image to the registry.\n'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)",
    ),
    quiet: bool("Suppress verbose output", { short: "q" }),
  },
  args: { min: 1, max: 1 },
  complete: ["images"],
  async run(session, { flags, args: [name = ""] }) {
    if (!flags["disable-content-trust"]) throw new ExitError(1, "content trust is not available");
    const reference = parseReference(name);
    if (flags["all-tags"] && reference.tag !== undefined)
      throw new ExitError(1, "tag can't be used with --all-tags/-a");
    const tag = flags["all-tags"] ? undefined : (reference.tag ?? "latest");
    if (!flags["all-tags"] && reference.tag === undefined && !flags.quiet)
      session.out.line(`Using default tag: ${tag}`);
    const response = await session.daemon.send("POST", `/images/${imagePath(familiarName(reference))}/push`, {
      query: { tag, platform: parsePlatform(flags.platform) },
      // The daemon insists on the header even when there is nothing to say.
      headers: { "X-Registry-Auth": Buffer.from("{}").toString("base64url") },
    });
    await showProgress(response, flags.quiet ? undefined : session.out);
    if (flags.quiet) session.out.line(name);
  },
});
