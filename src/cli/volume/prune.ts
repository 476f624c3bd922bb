/** `berth volume prune`: removes volumes that no container uses. */
import type { VolumesPruneResponse } from "#api/types/volume.ts";
import { verb as define } from "../command.ts";
import { filterQuery } from "../connection.ts";
import { ExitError } from "../errors.ts";
import { filters } from "../kinds.ts";
import { allFlag, confirm, deleted, type FilterMap, pruneFlags, reclaimed } from "../pruning.ts";
import type { Session } from "../session.ts";

export const verb = define({
  use: "[OPTIONS]",
  flags: {
    ...pruneFlags,
    all: allFlag("Remove all unused volumes, not just anonymous ones"),
    filter: filters('Provide filter values (e.g. "label=<label>")'),
  },
  args: { min: 0, max: 0 },
  async run(session, { flags }) {
    if (flags.all && flags.filter["all"])
      throw new ExitError(1, "conflicting options: cannot specify both --all and --filter all=1");
    const which = flags.all ? "all local volumes" : "anonymous local volumes";
    if (!flags.force) await confirm(session, `WARNING! This will remove ${which} not used by at least one container.`);
    reclaimed(session, await pruneVolumes(session, flags.all ? { ...flags.filter, all: ["true"] } : flags.filter));
  },
});

/** Prints what went; resolves with the bytes that came free. */
export async function pruneVolumes(session: Session, filter: FilterMap): Promise<number> {
  const report = await session.daemon.json<VolumesPruneResponse>("POST", "/volumes/prune", {
    query: { filters: filterQuery(filter) },
  });
  deleted(session, "Deleted Volumes", report.VolumesDeleted);
  return report.SpaceReclaimed;
}
