/** `berth volume du`: what takes how much room, and who uses it. */
import type { VolumesUsage, VolumeUsage } from "#api/types/volume-care.ts";
import { verb as define } from "../command.ts";
import { Formatter, type Headers, listFormat } from "../format.ts";
import { string } from "../kinds.ts";
import { naturally } from "../natural.ts";
import { Row } from "../template/value.ts";
import { humanSize } from "../units.ts";

type Order = (a: VolumeUsage, b: VolumeUsage) => number;

const byName: Order = (a, b) => naturally(a.Name, b.Name);

/** The largest first. */
const orders: Readonly<Record<string, Order>> = {
  name: byName,
  size: (a, b) => b.Size - a.Size || byName(a, b),
  apparent: (a, b) => b.ApparentSize - a.ApparentSize || byName(a, b),
  files: (a, b) => b.Files - a.Files || byName(a, b),
};

const headers: Headers = {
  Name: "VOLUME NAME",
  Size: "SIZE",
  ApparentSize: "APPARENT SIZE",
  Files: "FILES",
  Containers: "CONTAINERS",
};

export const verb = define({
  use: "[OPTIONS] [VOLUME...]",
  flags: {
    format: listFormat,
    sort: string(`Sort by "size", "apparent" size, "files" or "name"`, {
      short: "s",
      initial: "size",
      complete: Object.keys(orders),
      check: (text) => {
        if (!Object.hasOwn(orders, text)) throw new Error("must be size, apparent, files or name");
      },
    }),
  },
  args: { min: 0 },
  complete: ["volumes"],
  async run(session, { flags, args }) {
    const table = Object.keys(headers).map((name) => `{{.${name}}}`);
    const formatter = new Formatter(flags.format, table.join("\t"), headers);
    const { Volumes } = await session.daemon.json<VolumesUsage>("GET", "/system/df/volumes", { query: { name: args } });
    session.out.write(formatter.format(Volumes.toSorted(orders[flags.sort] ?? byName).map(row)));
  },
});

function row({ Name, Size, ApparentSize, Files, Containers }: VolumeUsage): Row {
  const known = (bytes: number): string => (bytes < 0 ? "N/A" : humanSize(bytes));
  return new Row("*formatter.volumeUsageContext", {
    Name: () => Name,
    Size: () => known(Size),
    ApparentSize: () => known(ApparentSize),
    Files: () => (Files < 0 ? "N/A" : String(Files)),
    Containers: () => Containers.map((container) => container.Name).join(","),
  });
}
