/** `berth top`: the processes of a container. */
import type { TopResponse } from "#api/types/container.ts";
import { verb as define } from "../command.ts";
import { align } from "../table.ts";

export const verb = define({
  use: "CONTAINER [ps OPTIONS]",
  flags: {},
  args: { min: 1 },
  interspersed: false,
  complete: ["running"],
  async run(session, { args: [name = "", ...options] }) {
    const { Titles, Processes } = await session.daemon.json<TopResponse>(
      "GET",
      `/containers/${encodeURIComponent(name)}/top`,
      {
        query: { ps_args: options.length > 0 ? options.join(" ") : undefined },
      },
    );
    const lines = [Titles, ...(Processes ?? [])].map((cells) => `${cells.join("\t")}\n`);
    session.out.write(align(lines.join(""), { minWidth: 20, padding: 3 }));
  },
});
