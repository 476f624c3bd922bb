/** `berth cp`: copies files between a container and this machine. */
import { statSync } from "node:fs";
import { verb as define } from "../command.ts";
import { ExitError } from "../errors.ts";
import { bool } from "../kinds.ts";
import { fromContainer, toContainer, type CopyOptions } from "./copying.ts";

export const verb = define({
  use: "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tberth cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
  flags: {
    archive: bool("Archive mode (copy all uid/gid information)", { short: "a" }),
    "follow-link": bool("Always follow symbol link in SRC_PATH", { short: "L" }),
    quiet: bool(
      "Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached",
      { short: "q" },
    ),
  },
  args: { min: 2, max: 2 },
  complete: ["files", "files"],
  details: `Copy files/folders between a container and the local filesystem

Use '-' as the source to read a tar archive from stdin
and extract it to a directory destination in a container.
Use '-' as the destination to stream a tar archive of a
container source to stdout.`,
  async run(session, { flags, args: [source = "", target = ""] }) {
    if (source === "") throw new ExitError(1, "source can not be empty");
    if (target === "") throw new ExitError(1, "destination can not be empty");
    const [from, to] = [place(source), place(target)];
    const options: CopyOptions = {
      archive: flags.archive,
      follow: flags["follow-link"],
      tell: !flags.quiet && session.err.isTerminal,
    };
    if (from.container && to.container) throw new ExitError(1, "copying between containers is not supported");
    if (from.container) await fromContainer(session, from.container, from.path, to.path, options);
    else if (to.container) await toContainer(session, from.path, to.container, to.path, options);
    else throw new ExitError(1, "must specify at least one container source");
  },
});

/** `container:path`; a path that exists here, or begins with a slash or a dot, is ours even with a colon in it. */
function place(text: string): { container?: string; path: string } {
  if (/^[/.]/.test(text) || (text.includes(":") && statSync(text, { throwIfNoEntry: false }))) return { path: text };
  const cut = text.indexOf(":");
  return cut < 0 ? { path: text } : { container: text.slice(0, cut), path: text.slice(cut + 1) };
}
