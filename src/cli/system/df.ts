/** `berth system df`: what takes how much room. */
import type { ImageSummary } from "#api/types/image.ts";
import type { DiskUsage } from "#api/types/system.ts";
import { verb as define } from "../command.ts";
import { containerHeaders, containerRow } from "../container/row.ts";
import { execute, Formatter, listFormat, parseFormat } from "../format.ts";
import { imageHeaders, type ImageLine, imageRow } from "../image/ls.ts";
import { bool } from "../kinds.ts";
import type { Row } from "../template/value.ts";
import { volumeHeaders, volumeRow } from "../volume/row.ts";
import { cacheHeaders, cacheRow, summaries, summaryHeaders } from "./usage.ts";

const columns = (...names: string[]) => names.map((name) => `{{.${name}}}`).join("\t");

export const verb = define({
  use: "[OPTIONS]",
  flags: { format: listFormat, verbose: bool("Show detailed information on space usage", { short: "v" }) },
  args: { min: 0, max: 0 },
  async run(session, { flags }) {
    const usage = await session.daemon.json<DiskUsage>("GET", "/system/df");
    if (!flags.verbose) {
      const table = columns("Type", "TotalCount", "Active", "Size", "Reclaimable");
      session.out.write(new Formatter(flags.format, table, summaryHeaders).format(summaries(usage)));
      return;
    }
    const rows = details(usage, flags.format === "" || flags.format === "table");
    if (flags.format !== "" && flags.format !== "table") {
      const template = parseFormat(flags.format === "json" ? "{{json .}}" : flags.format, 1);
      session.out.line(execute(template, rows));
      return;
    }
    const image = columns("Repository", "Tag", "ID", "CreatedSince", "Size", "SharedSize", "UniqueSize", "Containers");
    const container = columns("ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names");
    const cache = columns("ID", "CacheType", "Size", "CreatedSince", "LastUsedSince", "UsageCount", "Shared");
    session.out.write(
      `Images space usage:\n\n${new Formatter("", image, imageHeaders).format(rows.Images)}` +
        `\nContainers space usage:\n\n${new Formatter("", container, containerHeaders).format(rows.Containers)}` +
        `\nLocal Volumes space usage:\n\n${new Formatter("", columns("Name", "Links", "Size"), volumeHeaders).format(rows.Volumes)}` +
        `\nBuild cache usage: ${summaries(usage)[3]?.fields["Size"]?.() as string}\n\n` +
        new Formatter("", cache, cacheHeaders).format(rows.BuildCache),
    );
  },
});

/** An image takes its room once, however many names it has. */
function firstName({ RepoTags }: ImageSummary): ImageLine {
  const [, repository = "<none>", tag = "<none>"] = /^(.+):([^:]+)$/.exec(RepoTags?.[0] ?? "") ?? [];
  return { repository, tag, digest: "" };
}

function details(usage: DiskUsage, trunc: boolean): Record<"Images" | "Containers" | "Volumes" | "BuildCache", Row[]> {
  return {
    Images: (usage.Images ?? []).map((image) => imageRow(image, firstName(image), trunc)),
    Containers: (usage.Containers ?? []).map((container) => containerRow({ ...container, SizeRootFs: 0 }, trunc)),
    Volumes: (usage.Volumes ?? []).map(volumeRow),
    BuildCache: (usage.BuildCache ?? []).map(cacheRow),
  };
}
