/** `berth logs`: what a container wrote. */
import type { ContainerInspect } from "#api/types/container.ts";
import { errorMessage } from "#lib/errors.ts";
import { verb as define } from "../command.ts";
import { demultiplex } from "../demux.ts";
import { ExitError } from "../errors.ts";
import { bool, string } from "../kinds.ts";
import { parseTimestamp } from "../timestamp.ts";

const when = '(e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)';

export const verb = define({
  use: "[OPTIONS] CONTAINER",
  flags: {
    details: bool("Show extra details provided to logs"),
    follow: bool("Follow log output", { short: "f" }),
    since: string(`Show logs since timestamp ${when}`),
    tail: string("Number of lines to show from the end of the logs", { short: "n", initial: "all" }),
    timestamps: bool("Show timestamps", { short: "t" }),
    until: string(`Show logs before a timestamp ${when}`),
  },
  args: { min: 1, max: 1 },
  complete: ["containers"],
  async run(session, { flags, args: [name = ""] }) {
    const path = `/containers/${encodeURIComponent(name)}`;
    const response = await session.daemon.send("GET", `${path}/logs`, {
      query: {
        stdout: true,
        stderr: true,
        follow: flags.follow,
        details: flags.details,
        timestamps: flags.timestamps,
        tail: flags.tail,
        since: moment("since", flags.since),
        until: moment("until", flags.until),
      },
    });
    const out = (data: Uint8Array) => session.out.write(data);
    // Daemons before API 1.42 call both forms raw.
    const framed =
      response.headers.get("content-type") === "application/vnd.docker.multiplexed-stream" ||
      !(await session.daemon.json<ContainerInspect>("GET", `${path}/json`)).Config.Tty;
    const receive = framed ? demultiplex(out, (data) => session.err.write(data)) : out;
    for await (const chunk of response.body ?? []) receive(chunk);
  },
});

function moment(flag: string, text: string): string | undefined {
  try {
    return text === "" ? undefined : parseTimestamp(text);
  } catch (error) {
    throw new ExitError(1, `invalid value for "${flag}": ${errorMessage(error)}`, { cause: error });
  }
}
