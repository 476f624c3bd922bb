/** `berth volume ls`: lists volumes. */
import type { VolumeListResponse } from "#api/types/volume.ts";
import { verb as define } from "../command.ts";
import { filterQuery } from "../connection.ts";
import { chooseFormat, Formatter, listFormat } from "../format.ts";
import { bool, filters } from "../kinds.ts";
import { volumeHeaders, volumeRow } from "./row.ts";

const natural = new Intl.Collator("en", { numeric: true });

export const verb = define({
  use: "[OPTIONS]",
  flags: {
    filter: filters('Provide filter values (e.g. "dangling=true")', { short: "f" }),
    format: listFormat,
    quiet: bool("Only display volume names", { short: "q" }),
  },
  args: { min: 0, max: 0 },
  async run(session, { flags }) {
    const custom = chooseFormat(flags.format, session.preferences.volumesFormat, flags.quiet, "{{.Name}}");
    const raw = flags.quiet ? "name: {{.Name}}" : "name: {{.Name}}\ndriver: {{.Driver}}\n";
    const formatter = new Formatter(custom, "{{.Driver}}\t{{.Name}}", volumeHeaders, { raw });
    const { Volumes } = await session.daemon.json<VolumeListResponse>("GET", "/volumes", {
      query: { filters: filterQuery(flags.filter) },
    });
    const rows = Volumes.toSorted((a, b) => natural.compare(a.Name, b.Name)).map(volumeRow);
    session.out.write(formatter.format(rows));
  },
});
