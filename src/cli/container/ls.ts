/** `berth ps`, `berth container ls`: lists containers. */
import type { ContainerSummary } from "#api/types/container.ts";
import { verb as define } from "../command.ts";
import { filterQuery } from "../connection.ts";
import { Formatter, listFormat } from "../format.ts";
import { bool, filters, int } from "../kinds.ts";
import { containerHeaders, containerRow } from "./row.ts";

const columns = ["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"];

const rawForm = `container_id: {{.ID}}
image: {{.Image}}
command: {{.Command}}
created_at: {{.CreatedAt}}
state: {{- pad .State 1 0}}
status: {{- pad .Status 1 0}}
names: {{.Names}}
labels: {{- pad .Labels 1 0}}
ports: {{- pad .Ports 1 0}}
`;

/** What every placeholder can be tried on. */
const sample: ContainerSummary = {
  Id: "",
  Names: [],
  Image: "",
  ImageID: "",
  Command: "",
  Created: 0,
  Ports: [],
  Labels: {},
  State: "created",
  Status: "",
  HostConfig: {},
  NetworkSettings: { Networks: {} },
  Mounts: [],
};

export const verb = define({
  use: "[OPTIONS]",
  flags: {
    all: bool("Show all containers (default shows just running)", { short: "a" }),
    filter: filters("Filter output based on conditions provided", { short: "f" }),
    format: listFormat,
    last: int("Show n last created containers (includes all states)", { short: "n", initial: -1 }),
    latest: bool("Show the latest created container (includes all states)", { short: "l" }),
    "no-trunc": bool("Don't truncate output"),
    quiet: bool("Only display container IDs", { short: "q" }),
    size: bool("Display total file sizes", { short: "s" }),
  },
  args: { min: 0, max: 0 },
  async run(session, { flags, changed }) {
    if (flags.format && flags.quiet)
      session.err.line("WARNING: Ignoring custom format, because both --format and --quiet are set.");
    const asked = flags.format || (session.preferences.psFormat ?? "");
    const custom = flags.quiet && asked !== "raw" ? "{{.ID}}" : asked;
    const raw = flags.quiet ? "container_id: {{.ID}}" : rawForm + (flags.size ? "size: {{.Size}}\n" : "");
    const table = [...columns, ...(flags.size ? ["Size"] : [])].map((name) => `{{.${name}}}`).join("\t");
    const formatter = new Formatter(custom, table, containerHeaders, { raw, complaint: "failed to parse template" });
    formatter.check(containerRow(sample, false), "failed to execute template");
    const limit = flags.latest && flags.last === -1 ? 1 : flags.last;
    const containers = await session.daemon.json<ContainerSummary[]>("GET", "/containers/json", {
      query: {
        all: flags.all,
        limit: limit === -1 ? undefined : limit,
        // Sizes cost the daemon a walk of the file system.
        size: flags.size || (!changed.has("size") && !flags.quiet && custom !== "json" && formatter.uses("Size")),
        filters: filterQuery(flags.filter),
      },
    });
    session.out.write(formatter.format(containers.map((container) => containerRow(container, !flags["no-trunc"]))));
  },
});
