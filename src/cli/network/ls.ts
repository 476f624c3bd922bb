/** `berth network ls`: lists networks. */
import type { NetworkInspect } from "#api/types/network.ts";
import { verb as define } from "../command.ts";
import { filterQuery } from "../connection.ts";
import { Formatter, listFormat } from "../format.ts";
import { bool, filters } from "../kinds.ts";
import { Row } from "../template/value.ts";
import { shortId } from "../units.ts";

const headers = {
  ID: "NETWORK ID",
  Name: "NAME",
  Driver: "DRIVER",
  Scope: "SCOPE",
  Internal: "INTERNAL",
  Labels: "LABELS",
};

export const verb = define({
  use: "[OPTIONS]",
  flags: {
    filter: filters('Provide filter values (e.g. "driver=bridge")', { short: "f" }),
    format: listFormat,
    "no-trunc": bool("Do not truncate the output"),
    quiet: bool("Only display network IDs", { short: "q" }),
  },
  args: { min: 0, max: 0 },
  async run(session, { flags }) {
    const custom = flags.quiet ? "{{.ID}}" : flags.format || (session.preferences.networksFormat ?? "");
    const formatter = new Formatter(custom, "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}", headers);
    const networks = await session.daemon.json<NetworkInspect[]>("GET", "/networks", {
      query: { filters: filterQuery(flags.filter) },
    });
    const rows = networks.map(
      (network) =>
        new Row("*formatter.networkContext", {
          ID: () => (flags["no-trunc"] ? network.Id : shortId(network.Id)),
          Name: () => network.Name,
          Driver: () => network.Driver,
          Scope: () => network.Scope,
          Internal: () => String(network.Internal),
          Labels: () =>
            Object.entries(network.Labels ?? {})
              .map(([key, value]) => `${key}=${value}`)
              .join(","),
        }),
    );
    session.out.write(formatter.format(rows));
  },
});
