/** `berth diff`: what a container changed in its file system. */
import type { FilesystemChange } from "#api/types/container.ts";
import { verb as define } from "../command.ts";

/** By kind: modified, added, deleted. */
const letters = ["C", "A", "D"];

export const verb = define({
  use: "CONTAINER",
  flags: {},
  args: { min: 1, max: 1 },
  complete: ["containers"],
  async run(session, { args: [name = ""] }) {
    const changes = await session.daemon.json<FilesystemChange[] | null>(
      "GET",
      `/containers/${encodeURIComponent(name)}/changes`,
    );
    session.out.write((changes ?? []).map(({ Kind, Path }) => `${letters[Kind]} ${Path}\n`).join(""));
  },
});
