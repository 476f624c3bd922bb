/** `berth container prune`: removes all stopped containers. */
import type { ContainersPruneResponse } from "#api/types/container.ts";
import { verb as define } from "../command.ts";
import { filterQuery } from "../connection.ts";
import { confirm, deleted, type FilterMap, pruneFlags, reclaimed } from "../pruning.ts";
import type { Session } from "../session.ts";

export const verb = define({
  use: "[OPTIONS]",
  flags: pruneFlags,
  args: { min: 0, max: 0 },
  async run(session, { flags }) {
    if (!flags.force) await confirm(session, "WARNING! This will remove all stopped containers.");
    reclaimed(session, await pruneContainers(session, flags.filter));
  },
});

/** Prints what went; resolves with the bytes that came free. */
export async function pruneContainers(session: Session, filter: FilterMap): Promise<number> {
  const report = await session.daemon.json<ContainersPruneResponse>("POST", "/containers/prune", {
    query: { filters: filterQuery(filter) },
  });
  deleted(session, "Deleted Containers", report.ContainersDeleted);
  return report.SpaceReclaimed;
}
