/** `berth save`. */
import { verb as define } from "../command.ts";
import { renameSync, rmSync } from "node:fs";
import { ExitError } from "../errors.ts";
import { string } from "../kinds.ts";

export const verb = define({
  use: "[OPTIONS] IMAGE [IMAGE...]",
  flags: { output: string("Write to a file, instead of STDOUT", { short: "o" }) },
  args: { min: 1 },
  complete: ["images"],
  async run(session, { flags, args }) {
    if (flags.output === "" && session.out.isTerminal) {
      throw new ExitError(1, "cowardly refusing to save to a terminal. Use the -o flag or redirect");
    }
    const response = await session.daemon.send("GET", "/images/get", { query: { names: args } });
    if (flags.output === "") {
      for await (const chunk of response.body ?? []) session.out.write(chunk);
      return;
    }
    const fresh = `${flags.output}.tmp-${process.pid}`;
    try {
      const writer = Bun.file(fresh).writer();
      for await (const chunk of response.body ?? []) await writer.write(chunk);
      await writer.end();
      renameSync(fresh, flags.output);
    } finally {
      rmSync(fresh, { force: true });
    }
  },
});
