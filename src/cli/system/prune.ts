/** `berth system prune`: removes what is not used, of every kind. */
import { verb as define } from "../command.ts";
import { pruneContainers } from "../container/prune.ts";
import { ExitError } from "../errors.ts";
import { pruneImages } from "../image/prune.ts";
import { bool, filters } from "../kinds.ts";
import { pruneNetworks } from "../network/prune.ts";
import { allFlag, confirm, type FilterMap, pruneFlags, reclaimed } from "../pruning.ts";
import { pruneVolumes } from "../volume/prune.ts";

export const verb = define({
  use: "[OPTIONS]",
  flags: {
    ...pruneFlags,
    all: allFlag("Remove all unused images not just dangling ones"),
    filter: filters('Provide filter values (e.g. "label=<key>=<value>")'),
    volumes: bool("Prune anonymous volumes"),
  },
  args: { min: 0, max: 0 },
  async run(session, { flags }) {
    const { all, filter, volumes } = flags;
    if (volumes && filter["until"])
      throw new ExitError(1, 'ERROR: The "until" filter is not supported with "--volumes"');
    if (!flags.force) await confirm(session, warning(all, volumes, filter));
    let bytes = await pruneContainers(session, filter);
    await pruneNetworks(session, filter);
    if (volumes) bytes += await pruneVolumes(session, filter);
    bytes += await pruneImages(session, all, filter);
    reclaimed(session, bytes);
  },
});

function warning(all: boolean, volumes: boolean, filter: FilterMap): string {
  const items = [
    "all stopped containers",
    "all networks not used by at least one container",
    ...(volumes ? ["all anonymous volumes not used by at least one container"] : []),
    all ? "all images without at least one container associated to them" : "all dangling images",
  ];
  const conditions = Object.entries(filter)
    .flatMap(([key, values]) => values.map((value) => `  - ${key}=${value}\n`))
    .toSorted();
  const filtered = conditions.length > 0 ? `\n  Items to be pruned will be filtered with:\n${conditions.join("")}` : "";
  return `WARNING! This will remove:\n${items.map((item) => `  - ${item}\n`).join("")}${filtered}`;
}
