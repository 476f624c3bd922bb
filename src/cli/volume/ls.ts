/** `berth volume ls`: lists volumes. */
import type { VolumeListResponse } from "#api/types/volume.ts";
import { verb as define } from "../command.ts";
import { filterQuery } from "../connection.ts";
import { chooseFormat, Formatter, listFormat } from "../format.ts";
import { bool, filters } from "../kinds.ts";
import { naturally } from "../natural.ts";
import { volumeHeaders, volumeRow } from "./row.ts";

const clusterTable = "{{.Name}}\t{{.Group}}\t{{.Driver}}\t{{.Availability}}\t{{.Status}}";

export const verb = define({
  use: "[OPTIONS]",
  flags: {
    cluster: bool("Display only cluster volumes, and use cluster volume list formatting"),
    filter: filters('Provide filter values (e.g. "dangling=true")', { short: "f" }),
    format: listFormat,
    quiet: bool("Only display volume names", { short: "q" }),
  },
  args: { min: 0, max: 0 },
  async run(session, { flags }) {
    const preferred = flags.cluster ? undefined : session.preferences.volumesFormat;
    const custom = chooseFormat(flags.cluster ? "" : flags.format, preferred, flags.quiet, "{{.Name}}");
    const raw = flags.quiet ? "name: {{.Name}}" : "name: {{.Name}}\ndriver: {{.Driver}}\n";
    const table = flags.cluster ? clusterTable : "{{.Driver}}\t{{.Name}}";
    const formatter = new Formatter(custom, table, volumeHeaders, { raw });
    const { Volumes } = await session.daemon.json<VolumeListResponse>("GET", "/volumes", {
      query: { filters: filterQuery(flags.filter) },
    });
    const shown = flags.cluster ? Volumes.filter(({ ClusterVolume }) => ClusterVolume) : Volumes;
    const rows = shown.toSorted((a, b) => naturally(a.Name, b.Name)).map(volumeRow);
    session.out.write(formatter.format(rows));
  },
});
