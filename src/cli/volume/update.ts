/** `berth volume update`: for volumes of a cluster only. */
import type { Volume } from "#api/types/volume.ts";
import { verb as define } from "../command.ts";
import { ExitError } from "../errors.ts";
import { clusterFlags } from "./cluster.ts";

export const verb = define({
  use: "[OPTIONS] [VOLUME]",
  flags: { availability: clusterFlags.availability },
  args: { min: 0, max: 1 },
  complete: ["volumes"],

  async run(session, { flags, args, changed }) {
    const path = `/volumes/${encodeURIComponent(args[0] ?? "")}`;
    const { ClusterVolume } = await session.daemon.json<Volume>("GET", path);
    if (!ClusterVolume) throw new ExitError(1, "can only update cluster volumes");
    const Spec = { ...ClusterVolume.Spec, ...(changed.has("availability") && { Availability: flags.availability }) };
    const version = String(ClusterVolume.Version?.Index ?? 0);
    await session.daemon.send("PUT", path, { query: { version }, body: { Spec } });
  },
});
