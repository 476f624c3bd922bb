/** `berth image prune`: removes unused images. */
import type { ImagesPruneResponse } from "#api/types/image.ts";
import { verb as define } from "../command.ts";
import { filterQuery } from "../connection.ts";
import { allFlag, confirm, deleted, type FilterMap, pruneFlags, reclaimed } from "../pruning.ts";
import type { Session } from "../session.ts";

export const verb = define({
  use: "[OPTIONS]",
  flags: { all: allFlag("Remove all unused images, not just dangling ones"), ...pruneFlags },
  args: { min: 0, max: 0 },
  async run(session, { flags }) {
    const which = flags.all ? "images without at least one container associated to them" : "dangling images";
    if (!flags.force) await confirm(session, `WARNING! This will remove all ${which}.`);
    reclaimed(session, await pruneImages(session, flags.all, flags.filter));
  },
});

/** Prints what went; resolves with the bytes that came free. */
export async function pruneImages(session: Session, all: boolean, filter: FilterMap): Promise<number> {
  const report = await session.daemon.json<ImagesPruneResponse>("POST", "/images/prune", {
    query: { filters: filterQuery({ ...filter, dangling: [String(!all)] }) },
  });
  deleted(
    session,
    "Deleted Images",
    report.ImagesDeleted?.map(({ Untagged, Deleted }) => (Untagged ? `untagged: ${Untagged}` : `deleted: ${Deleted}`)),
  );
  return report.SpaceReclaimed;
}
