/** `berth save`: writes images to a tar archive. */
import { verb as define } from "../command.ts";
import { string } from "../kinds.ts";
import { saveTo } from "../saving.ts";
import { parsePlatform } from "../platform.ts";

export const verb = define({
  use: "[OPTIONS] IMAGE [IMAGE...]",
  flags: {
    output: string("Write to a file, instead of STDOUT", { short: "o", complete: "files" }),
    platform: string('Save only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")'),
  },
  args: { min: 1 },
  complete: ["images"],
  run(session, { flags, args }) {
    return saveTo(session, flags.output, "save image", () =>
      session.daemon.send("GET", "/images/get", { query: { names: args, platform: parsePlatform(flags.platform) } }),
    );
  },
});
