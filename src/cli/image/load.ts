/** `berth load`. */
import { verb as define } from "../command.ts";
import { existsSync } from "node:fs";
import { ExitError } from "../errors.ts";
import { bool, string } from "../kinds.ts";
import { showProgress } from "../progress.ts";

export const verb = define({
  use: "[OPTIONS]",
  flags: {
    input: string("Read from tar archive file, instead of STDIN", { short: "i" }),
    quiet: bool("Suppress the load output", { short: "q" }),
  },
  args: { min: 0, max: 0 },

  async run(session, { flags }) {
    if (flags.input === "" && session.interactive) throw new ExitError(1, "requested load from stdin, but stdin is empty");
    if (flags.input !== "" && !existsSync(flags.input)) throw new ExitError(1, `open ${flags.input}: no such file or directory`);
    const body = flags.input === "" ? Bun.stdin.stream() : Bun.file(flags.input);
    const response = await session.daemon.send("POST", "/images/load", {
      query: { quiet: flags.quiet || !session.out.isTerminal },
      body,
      headers: { "Content-Type": "application/x-tar" },
    });
    await showProgress(response, session.out);
  },
});
