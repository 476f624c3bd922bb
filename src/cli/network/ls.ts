/** `berth network ls`: lists networks. */
import type { NetworkInspect } from "#api/types/network.ts";
import { verb as define } from "../command.ts";
import { filterQuery } from "../connection.ts";
import { joinLabels } from "../container/row.ts";
import { chooseFormat, Formatter, listFormat } from "../format.ts";
import { bool, filters } from "../kinds.ts";
import { naturally } from "../natural.ts";
import { Row } from "../template/value.ts";
import { exactTime, shortId } from "../units.ts";

const headers = {
  ID: "NETWORK ID",
  Name: "NAME",
  Driver: "DRIVER",
  Scope: "SCOPE",
  IPv6: "IPV6",
  IPv4: "IPV4",
  Internal: "INTERNAL",
  Labels: "LABELS",
  CreatedAt: "CREATED AT",
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
    const custom = chooseFormat(flags.format, session.preferences.networksFormat, flags.quiet, "{{.ID}}");
    const raw = flags.quiet
      ? "network_id: {{.ID}}"
      : "network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n";
    const formatter = new Formatter(custom, "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}", headers, { raw });
    const networks = await session.daemon.json<NetworkInspect[]>("GET", "/networks", {
      query: { filters: filterQuery(flags.filter) },
    });
    const rows = networks
      .toSorted((a, b) => naturally(a.Name, b.Name))
      .map((network) => networkRow(network, !flags["no-trunc"]));
    session.out.write(formatter.format(rows));
  },
});

function networkRow(network: NetworkInspect, trunc: boolean): Row {
  return new Row("*formatter.networkContext", {
    ID: () => (trunc ? shortId(network.Id) : network.Id),
    Name: () => network.Name,
    Driver: () => network.Driver,
    Scope: () => network.Scope,
    IPv6: () => String(network.EnableIPv6),
    IPv4: () => String(network.EnableIPv4),
    Internal: () => String(network.Internal),
    Labels: () => joinLabels(network.Labels),
    Label: (name: string) => network.Labels?.[name] ?? "",
    CreatedAt: () => exactTime(network.Created),
  });
}
