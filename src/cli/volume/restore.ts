/** `berth volume restore`. */
import type { VolumeRestored } from "#api/types/volume-care.ts";
import { verb as define } from "../command.ts";
import { ExitError } from "../errors.ts";
import { archiveFile } from "../image/archive-file.ts";
import { bool, string } from "../kinds.ts";

export const verb = define({
  use: "[OPTIONS] [VOLUME]",
  details:
    "Make a volume of a backup (STDIN by default), under the name that it had or another one. A backup that is cut\n" +
    "off or damaged is refused, and every volume stays as it was.",
  flags: {
    input: string("Read from a file, instead of STDIN", { short: "i", complete: "files" }),
    replace: bool("Replace what the volume holds, if no running container uses it"),
  },
  args: { min: 0, max: 1 },
  complete: ["volumes"],
  async run(session, { flags, args: [name] }) {
    const fromStdin = flags.input === "" || flags.input === "-";
    if (fromStdin && session.interactive)
      throw new ExitError(1, "requested restore from stdin, but stdin is a terminal. Use the -i flag or redirect");
    if (flags.replace && name === undefined)
      throw new ExitError(1, "--replace needs the name of the volume to be replaced");
    const restored = await session.daemon.json<VolumeRestored>("POST", "/volumes/restore", {
      query: { name, replace: flags.replace },
      body: fromStdin ? Bun.stdin.stream() : archiveFile(flags.input),
      headers: { "Content-Type": "application/zstd" },
    });
    if (restored.Sockets > 0)
      session.err.line(`WARNING: the backup left out ${restored.Sockets} socket(s), which their programs make anew`);
    session.out.line(restored.Name);
  },
});
