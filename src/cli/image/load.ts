/** `berth load`: reads images from a tar archive. */
import { verb as define } from "../command.ts";
import { ExitError } from "../errors.ts";
import { bool, string } from "../kinds.ts";
import { parsePlatform } from "../platform.ts";
import { showProgress } from "../progress.ts";
import { archiveFile } from "./archive-file.ts";

export const verb = define({
  use: "[OPTIONS]",
  flags: {
    input: string("Read from tar archive file, instead of STDIN", { short: "i", complete: "files" }),
    platform: string('Load only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")'),
    quiet: bool("Suppress the load output", { short: "q" }),
  },
  args: { min: 0, max: 0 },
  async run(session, { flags }) {
    if (flags.input === "" && session.interactive)
      throw new ExitError(1, "requested load from stdin, but stdin is empty");
    const body = flags.input === "" ? Bun.stdin.stream() : archiveFile(flags.input);
    const response = await session.daemon.send("POST", "/images/load", {
      query: { quiet: flags.quiet || !session.out.isTerminal, platform: parsePlatform(flags.platform) },
      body,
      headers: { "Content-Type": "application/x-tar" },
    });
    if (response.headers.get("content-type")?.startsWith("application/json")) await showProgress(response, session.out);
    else session.out.write(await response.bytes());
  },
});
