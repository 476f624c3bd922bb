/** Docker's event filters. */
import type { EventMessage } from "#api/types/event.ts";
import { EngineError } from "#lib/errors.ts";
import { familiarName, parseReference } from "#oci/reference.ts";

/** Values of each filter: type, event, label, scope, image, and the kinds of things that are named or identified. */
export type EventFilters = Readonly<Record<string, readonly string[]>>;

type Test = (event: EventMessage, values: readonly string[]) => boolean;

/** Their actions carry more after a colon: then any value is a beginning, also of other actions, as in Docker. */
const PREFIXES = ["health_status", "exec_create", "exec_start"];

const TESTS: Readonly<Record<string, Test>> = {
  type: ({ Type }, values) => values.includes(Type),
  event: ({ Action }, values) =>
    values.includes(Action) ||
    (values.some((value) => PREFIXES.includes(value)) && values.some((value) => Action.startsWith(value))),
  scope: ({ scope }, values) => values.includes(scope),
  image: ({ Type, Actor }, values) => {
    const name = Actor.Attributes[Type === "image" ? "name" : "image"] ?? "";
    return [Actor.ID, name, withoutTag(Actor.ID), withoutTag(name)].some((word) => values.includes(word));
  },
  label: ({ Actor }, values) =>
    values.every((value) => {
      const [key = "", ...rest] = value.split("=");
      return Object.hasOwn(Actor.Attributes, key) && (rest.length === 0 || Actor.Attributes[key] === rest.join("="));
    }),
  ...Object.fromEntries(
    ["container", "daemon", "network", "node", "plugin", "service", "secret", "config", "volume"].map((type) => [
      type,
      named,
    ]),
  ),
};

/** Filters of different names must all hold, of one name any (but every label). Throws "invalid" for an unknown one. */
export function eventTest(filters: EventFilters): (event: EventMessage) => boolean {
  const tests = Object.entries(filters).map(([name, values]) => {
    const test = Object.hasOwn(TESTS, name) ? TESTS[name] : undefined;
    if (test === undefined) throw new EngineError("invalid", `invalid filter '${name}'`);
    return (event: EventMessage) => values.length === 0 || test(event, values);
  });
  return (event) => tests.every((test) => test(event));
}

/** By the beginning of id or name, and whatever the type: as Docker, whose `network=web` also finds a volume `web`. */
function named({ Actor }: EventMessage, values: readonly string[]): boolean {
  return values.some((value) => Actor.ID.startsWith(value) || (Actor.Attributes["name"] ?? "").startsWith(value));
}

/** The repository's short name; what is no reference, as it stands. */
function withoutTag(image: string): string {
  try {
    return familiarName(parseReference(image));
  } catch {
    return image;
  }
}
