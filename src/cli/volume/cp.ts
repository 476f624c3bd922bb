/** `berth volume cp`. */
import type { VolumeCopied } from "#api/types/volume-care.ts";
import { verb as define } from "../command.ts";
import { bool } from "../kinds.ts";
import { pauseFlag } from "./pause-flag.ts";

export const verb = define({
  use: "[OPTIONS] SOURCE TARGET",
  details:
    "Copy everything in a volume to a new or an empty one: owners, modes, extended attributes, times, hard links,\n" +
    "devices and holes. On file systems that can, the two share their blocks.",
  flags: {
    pause: pauseFlag,
    replace: bool("Replace what the target holds, if no running container uses it"),
  },
  args: { min: 2, max: 2 },
  complete: ["volumes"],
  async run(session, { flags, args: [source = "", target = ""] }) {
    const copied = await session.daemon.json<VolumeCopied>("POST", `/volumes/${encodeURIComponent(source)}/copy`, {
      query: { name: target, replace: flags.replace, pause: flags.pause },
    });
    session.out.line(copied.Name);
  },
});
