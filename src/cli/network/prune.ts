/** `berth network prune`: removes networks that no container is in. */
import type { NetworksPruneResponse } from "#api/types/network.ts";
import { verb as define } from "../command.ts";
import { filterQuery } from "../connection.ts";
import { confirm, deleted, type FilterMap, pruneFlags } from "../pruning.ts";
import type { Session } from "../session.ts";

export const verb = define({
  use: "[OPTIONS]",
  flags: pruneFlags,
  args: { min: 0, max: 0 },
  async run(session, { flags }) {
    if (!flags.force)
      await confirm(session, "WARNING! This will remove all custom networks not used by at least one container.");
    await pruneNetworks(session, flags.filter);
  },
});

/** Prints what went. */
export async function pruneNetworks(session: Session, filter: FilterMap): Promise<void> {
  const report = await session.daemon.json<NetworksPruneResponse>("POST", "/networks/prune", {
    query: { filters: filterQuery(filter) },
  });
  deleted(session, "Deleted Networks", report.NetworksDeleted);
}
