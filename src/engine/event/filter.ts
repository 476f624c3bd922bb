/** Docker's event filters. */
import type { EventMessage } from "#api/types/event.ts";
import { EngineError } from "#lib/errors.ts";

/** Values of each filter: type, event, container, image, network, volume, label, daemon, scope. */
export type EventFilters = Readonly<Record<string, readonly string[]>>;

type Test = (event: EventMessage, value: string) => boolean;

const TESTS: Readonly<Record<string, Test>> = {
  type: ({ Type }, value) => Type === value,
  event: ({ Action }, value) => Action === value || Action.startsWith(`${value}:`),
  scope: ({ scope }, value) => scope === value,
  container: named("container"),
  network: named("network"),
  volume: named("volume"),
  daemon: named("daemon"),
  image: (event, value) => {
    const image =
      event.Type === "image" ? (event.Actor.Attributes["name"] ?? event.Actor.ID) : event.Actor.Attributes["image"];
    return event.Actor.ID === value || image === value || image?.replace(/:[^:/]*$/, "") === value;
  },
  label: ({ Actor }, value) => {
    const [key = "", ...rest] = value.split("=");
    return key in Actor.Attributes && (rest.length === 0 || Actor.Attributes[key] === rest.join("="));
  },
};

/** Filters of different names must all hold, of one name any (but every label). Throws "invalid" for an unknown one. */
export function eventTest(filters: EventFilters): (event: EventMessage) => boolean {
  const tests = Object.entries(filters).map(([name, values]) => {
    const test = TESTS[name];
    if (test === undefined) throw new EngineError("invalid", `invalid filter '${name}'`);
    if (name === "label") return (event: EventMessage) => values.every((value) => test(event, value));
    return (event: EventMessage) => values.length === 0 || values.some((value) => test(event, value));
  });
  return (event) => tests.every((test) => test(event));
}

function named(type: string): Test {
  return ({ Type, Actor }, value) =>
    Type === type && (Actor.ID.startsWith(value) || Actor.Attributes["name"] === value);
}
