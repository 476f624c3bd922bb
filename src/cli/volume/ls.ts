/** `berth volume ls`: lists volumes. */
import type { VolumeListResponse } from "#api/types/volume.ts";
import { verb as define } from "../command.ts";
import { filterQuery } from "../connection.ts";
import { Formatter, listFormat } from "../format.ts";
import { bool, filters } from "../kinds.ts";
import { Row } from "../template/value.ts";

const headers = { Driver: "DRIVER", Name: "VOLUME NAME", Mountpoint: "MOUNTPOINT", Scope: "SCOPE", Labels: "LABELS" };

export const verb = define({
  use: "[OPTIONS]",
  flags: {
    filter: filters('Provide filter values (e.g. "dangling=true")', { short: "f" }),
    format: listFormat,
    quiet: bool("Only display volume names", { short: "q" }),
  },
  args: { min: 0, max: 0 },
  async run(session, { flags }) {
    const custom = flags.quiet ? "{{.Name}}" : flags.format || (session.preferences.volumesFormat ?? "");
    const formatter = new Formatter(custom, "{{.Driver}}\t{{.Name}}", headers);
    const { Volumes } = await session.daemon.json<VolumeListResponse>("GET", "/volumes", {
      query: { filters: filterQuery(flags.filter) },
    });
    const rows = Volumes.map(
      (volume) =>
        new Row("*formatter.volumeContext", {
          Driver: () => volume.Driver,
          Name: () => volume.Name,
          Mountpoint: () => volume.Mountpoint,
          Scope: () => volume.Scope,
          Labels: () =>
            Object.entries(volume.Labels ?? {})
              .map(([key, value]) => `${key}=${value}`)
              .join(","),
        }),
    );
    session.out.write(formatter.format(rows));
  },
});
