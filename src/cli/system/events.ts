/** `berth events`: what happens, as it happens. */
import type { EventMessage } from "#api/types/event.ts";
import { parseTime, formatTime } from "#lib/time.ts";
import { parseUntil } from "#lib/time-filter.ts";
import { verb as define } from "../command.ts";
import { filterQuery, jsonLines } from "../connection.ts";
import { execute, objectFormat, parseFormat } from "../format.ts";
import { filters, string } from "../kinds.ts";
import { seconds } from "../moments.ts";

export const verb = define({
  use: "[OPTIONS]",
  flags: {
    filter: filters("Filter output based on conditions provided", { short: "f" }),
    format: objectFormat(),
    since: string("Show all events created since timestamp"),
    until: string("Stream events until this timestamp"),
  },
  args: { min: 0, max: 0 },
  async run(session, { flags }) {
    const template = flags.format ? parseFormat(flags.format === "json" ? "{{json .}}" : flags.format, 64) : undefined;
    const moment = (text: string) => (text === "" ? undefined : seconds(parseTime(text) ?? parseUntil(text)));
    const response = await session.daemon.send("GET", "/events", {
      query: { filters: filterQuery(flags.filter), since: moment(flags.since), until: moment(flags.until) },
    });
    for await (const line of jsonLines(response)) {
      const event = JSON.parse(line) as EventMessage;
      session.out.line(template === undefined ? describe(event) : execute(template, event));
    }
  },
});

function describe({ timeNano, Type, Action, Actor }: EventMessage): string {
  const attributes = Object.entries(Actor.Attributes)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);
  const extra = attributes.length > 0 ? ` (${attributes.join(", ")})` : "";
  return `${formatTime(BigInt(timeNano))} ${Type} ${Action} ${Actor.ID}${extra}`;
}
