/** `berth logs`: prints what a container wrote. */
import { verb as define } from "../command.ts";
import type { ContainerInspect } from "#api/types/container.ts";
import { parseUntil } from "#lib/time-filter.ts";
import { demultiplex } from "../demux.ts";
import { bool, string } from "../kinds.ts";
import { seconds } from "../moments.ts";

export const verb = define({
  use: "[OPTIONS] CONTAINER",
  flags: {
    details: bool("Show extra details provided to logs"),
    follow: bool("Follow log output", { short: "f" }),
    since: string("Show logs since timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 minutes)"),
    tail: string("Number of lines to show from the end of the logs", { short: "n", initial: "all" }),
    timestamps: bool("Show timestamps", { short: "t" }),
    until: string("Show logs before a timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 minutes)"),
  },
  args: { min: 1, max: 1 },
  complete: ["containers"],
  async run(session, { flags, args }) {
    const path = `/containers/${encodeURIComponent(args[0] ?? "")}`;
    const { Config } = await session.daemon.json<ContainerInspect>("GET", `${path}/json`);
    const moment = (text: string) => (text === "" ? undefined : seconds(parseUntil(text)));
    const response = await session.daemon.send("GET", `${path}/logs`, {
      query: {
        stdout: true,
        stderr: true,
        details: flags.details,
        follow: flags.follow,
        timestamps: flags.timestamps,
        tail: flags.tail,
        since: moment(flags.since),
        until: moment(flags.until),
      },
    });
    const out = (data: Uint8Array) => session.out.write(data);
    const receive = Config.Tty ? out : demultiplex(out, (data) => session.err.write(data));
    for await (const chunk of response.body ?? []) receive(chunk);
  },
});
