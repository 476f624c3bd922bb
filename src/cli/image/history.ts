/** `berth history`: the steps that made an image. */
import type { HistoryItem } from "#api/types/image.ts";
import { verb as define } from "../command.ts";
import { chooseFormat, Formatter, listFormat, type Headers } from "../format.ts";
import { bool, string } from "../kinds.ts";
import { parsePlatform } from "../platform.ts";
import { Row } from "../template/value.ts";
import { ago, ellipsis, humanSize, shortId } from "../units.ts";
import { imagePath } from "./inspect.ts";

const headers: Headers = {
  ID: "IMAGE",
  CreatedSince: "CREATED",
  CreatedAt: "CREATED AT",
  CreatedBy: "CREATED BY",
  Size: "SIZE",
  Comment: "COMMENT",
};
const columns = "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}";

export const verb = define({
  use: "[OPTIONS] IMAGE",
  flags: {
    format: listFormat,
    human: bool("Print sizes and dates in human readable format", { short: "H", initial: true }),
    "no-trunc": bool("Don't truncate output"),
    platform: string('Show history for the given platform. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")'),
    quiet: bool("Only show image IDs", { short: "q" }),
  },
  args: { min: 1, max: 1 },
  complete: ["images"],
  async run(session, { flags, args: [name = ""] }) {
    const formatter = new Formatter(
      chooseFormat(flags.format, undefined, flags.quiet, "{{.ID}}"),
      flags.human ? columns : columns.replace("CreatedSince", "CreatedAt"),
      headers,
    );
    const items = await session.daemon.json<HistoryItem[]>("GET", `/images/${imagePath(name)}/history`, {
      query: { platform: parsePlatform(flags.platform) },
    });
    session.out.write(formatter.format(items.map((item) => historyRow(item, !flags["no-trunc"], flags.human))));
  },
});

function historyRow({ Id, Created, CreatedBy, Size, Comment }: HistoryItem, trunc: boolean, human: boolean): Row {
  const createdBy = CreatedBy.replaceAll("\t", " ");
  return new Row("*image.historyContext", {
    ID: () => (trunc && Id !== "<missing>" ? shortId(Id) : Id),
    CreatedAt: () => new Date(Created * 1000).toISOString().replace(".000Z", "Z"),
    CreatedSince: () => (human ? ago(Created * 1000) : new Date(Created * 1000).toISOString().replace(".000Z", "Z")),
    CreatedBy: () => (trunc ? ellipsis(createdBy, 45) : createdBy),
    Size: () => (human ? humanSize(Size, 3) : String(Size)),
    Comment: () => Comment,
  });
}
