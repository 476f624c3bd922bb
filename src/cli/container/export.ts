/** `berth export`: writes a container's file system to a tar archive. */
import { verb as define } from "../command.ts";
import { string } from "../kinds.ts";
import { saveTo } from "../saving.ts";

export const verb = define({
  use: "[OPTIONS] CONTAINER",
  flags: { output: string("Write to a file, instead of STDOUT", { short: "o", complete: "files" }) },
  args: { min: 1, max: 1 },
  complete: ["containers"],
  run(session, { flags, args: [name = ""] }) {
    return saveTo(session, flags.output, "export container", () =>
      session.daemon.send("GET", `/containers/${encodeURIComponent(name)}/export`),
    );
  },
});
