/** `berth events`: what happens, as it happens. */
import type { EventMessage } from "#api/types/event.ts";
import { verb as define } from "../command.ts";
import { filterQuery, jsonLines } from "../connection.ts";
import { execute, objectFormat, parseFormat } from "../format.ts";
import { filters, string } from "../kinds.ts";
import { parseJson, struct, type Value } from "../template/value.ts";
import { parseTimestamp } from "../timestamp.ts";

const complaint = "Error parsing format";

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
    const source = flags.format === "json" ? "{{json .}}" : flags.format;
    const template = source ? parseFormat(source, 64, complaint) : undefined;
    // A mistake should show at once and not with the first event.
    if (template) execute(template, message({}), complaint, 64);
    const moment = (text: string) => (text === "" ? undefined : parseTimestamp(text));
    const response = await session.daemon.send("GET", "/events", {
      query: { filters: filterQuery(flags.filter), since: moment(flags.since), until: moment(flags.until) },
    });
    for await (const line of jsonLines(response)) {
      const event = parseJson(line) as EventMessage;
      session.out.line(template === undefined ? describe(event) : execute(template, message(event)));
    }
  },
});

/** Gives templates the names of Go's fields, while its JSON keeps those of the wire. */
function message(event: Partial<EventMessage>): Value {
  return struct("*events.Message", event, {
    Type: event.Type ?? "",
    Action: event.Action ?? "",
    Status: event.status ?? "",
    ID: event.id ?? "",
    From: event.from ?? "",
    Scope: event.scope ?? "",
    Time: event.time ?? 0,
    TimeNano: event.timeNano ?? 0,
    Actor: { ID: event.Actor?.ID ?? "", Attributes: new Map(Object.entries(event.Actor?.Attributes ?? {})) },
  });
}

function describe({ timeNano, Type, Action, Actor }: EventMessage): string {
  const attributes = Object.entries(Actor.Attributes)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);
  const extra = attributes.length > 0 ? ` (${attributes.join(", ")})` : "";
  return `${localMoment(BigInt(timeNano))} ${Type} ${Action} ${Actor.ID}${extra}`;
}

/** RFC 3339 with nine digits of fraction, in local time. */
function localMoment(nanoseconds: bigint): string {
  const time = new Date(Number(nanoseconds / 1_000_000n));
  const offset = -time.getTimezoneOffset();
  const two = (value: number) => String(Math.trunc(Math.abs(value))).padStart(2, "0");
  const clock = new Date(time.getTime() + offset * 60_000).toISOString().slice(0, 19);
  const fraction = String(nanoseconds % 1_000_000_000n).padStart(9, "0");
  const zone = offset === 0 ? "Z" : `${offset < 0 ? "-" : "+"}${two(offset / 60)}:${two(offset % 60)}`;
  return `${clock}.${fraction}${zone}`;
}
