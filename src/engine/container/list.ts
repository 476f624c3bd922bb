/** Which containers a list or a prune means: Docker's filters. */
import type { ContainerListQuery, Filters } from "#api/types/query.ts";
import { EngineError } from "#lib/errors.ts";
import { parseTime } from "#lib/time.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { networkSettings } from "./network.ts";
import { isRunning } from "./record.ts";

const STATUSES = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];

type Test = (container: Container) => boolean;

/** Newest first. Throws "invalid" for unknown filters and values, "not-found" for an unknown `before` or `since`. */
export function selectContainers(context: EngineContext, query: ContainerListQuery): Container[] {
  const tests = Object.entries(query.filters).map(([name, values]) => filterTest(context, name, values));
  const wantsStopped =
    query.all || query.limit > 0 || ["status", "exited", "before", "since"].some((name) => name in query.filters);
  const found = context.containers
    .all()
    .filter((one) => wantsStopped || isRunning(one.state) || one.state.status === "restarting")
    .filter((one) => tests.every((test) => test(one)))
    .toSorted(newestFirst);
  return query.limit > 0 ? found.slice(0, query.limit) : found;
}

/** Label tests shared by lists and prunes: `key` or `key=value`. */
export function matchesLabels(labels: Readonly<Record<string, string>>, wanted: readonly string[]): boolean {
  return wanted.every((text) => {
    const [key = "", ...value] = text.split("=");
    return key in labels && (value.length === 0 || labels[key] === value.join("="));
  });
}

function newestFirst(a: Container, b: Container): number {
  const [first, second] = [parseTime(a.record.created) ?? 0n, parseTime(b.record.created) ?? 0n];
  if (first === second) return 0;
  return first < second ? 1 : -1;
}

function filterTest(context: EngineContext, name: string, values: readonly string[]): Test {
  const any =
    (test: (container: Container, value: string) => boolean): Test =>
    (container) =>
      values.length === 0 || values.some((value) => test(container, value));
  switch (name) {
    case "id":
      return any(({ id }, value) => id.startsWith(value) || matchesExpression(value, id));
    case "name":
      return any(
        (container, value) =>
          matchesExpression(value, container.name) || matchesExpression(value, `/${container.name}`),
      );
    case "label":
      return (container) => matchesLabels(container.record.config.Labels, values);
    case "status":
      for (const value of values) {
        if (!STATUSES.includes(value)) throw new EngineError("invalid", `invalid filter 'status=${value}'`);
      }
      return any((container, value) => container.state.status === value);
    case "exited": {
      const codes = values.map((value) => {
        if (!/^-?\d+$/.test(value)) throw new EngineError("invalid", `invalid filter 'exited=${value}'`);
        return Number(value);
      });
      return ({ state }) => codes.includes(state.exitCode) && state.status === "exited";
    }
    case "ancestor":
      return ancestorTest(context, values);
    case "before":
    case "since": {
      const others = values.map((value) => parseTime(context.containers.get(value).record.created) ?? 0n);
      return ({ record }) => {
        const created = parseTime(record.created) ?? 0n;
        return others.every((other) => (name === "before" ? created < other : created > other));
      };
    }
    case "volume":
      return any(({ record }, value) =>
        record.mounts.some(
          (mount) => mount.volume?.name === value || mount.destination === value || mount.source === value,
        ),
      );
    case "network":
      return any((container, value) =>
        Object.entries(networkSettings(context, container).Networks).some(
          ([network, endpoint]) => network === value || (value !== "" && endpoint.NetworkID.startsWith(value)),
        ),
      );
    case "publish":
    case "expose":
      return any(({ record }, value) => portMatches(name, record, value));
    case "health":
      return any((_, value) => value === "none");
    case "is-task":
      return any((_, value) => value === "false" || value === "0");
    case "isolation":
      return () => true;
    default:
      throw new EngineError("invalid", `invalid filter '${name}'`);
  }
}

function ancestorTest(context: EngineContext, values: readonly string[]): Test {
  const chains = values.flatMap((value) => {
    const image = context.images.find(value);
    return image === undefined ? [] : [image];
  });
  return ({ record }) =>
    chains.some(
      (image) =>
        image.id === record.imageId ||
        (image.chain.length > 0 && image.chain.every((diffId, at) => record.chain[at] === diffId)),
    );
}

/** `value` is `port`, `port/proto` or `first-last/proto`. */
function portMatches(kind: "publish" | "expose", record: Container["record"], value: string): boolean {
  const match = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/.exec(value);
  if (match === null) throw new EngineError("invalid", `invalid filter '${kind}=${value}'`);
  const [first, last, protocol] = [Number(match[1]), Number(match[2] ?? match[1]), match[3] ?? "tcp"];
  const within = (port: number) => port >= first && port <= last;
  const ports =
    kind === "publish"
      ? Object.keys(record.hostConfig.PortBindings ?? {})
      : Object.keys(record.config.ExposedPorts ?? {});
  return ports.some((port) => {
    const [number = "", itsProtocol = "tcp"] = port.split("/");
    return itsProtocol === protocol && within(Number(number));
  });
}

function matchesExpression(expression: string, text: string): boolean {
  try {
    return new RegExp(expression).test(text);
  } catch {
    return expression === text;
  }
}

const PRUNE_FILTERS = ["label", "label!", "until"];

/** Stopped containers that a prune may take. Throws "invalid" for unknown filters. */
export function selectPrunable(
  context: EngineContext,
  filters: Filters,
  untilOf: (text: string) => bigint,
): Container[] {
  for (const name of Object.keys(filters)) {
    if (!PRUNE_FILTERS.includes(name)) throw new EngineError("invalid", `invalid filter '${name}'`);
  }
  const until = filters["until"]?.map(untilOf) ?? [];
  return context.containers.all().filter(({ state, record, removing }) => {
    if (removing || isRunning(state) || state.status === "restarting") return false;
    const created = parseTime(record.created) ?? 0n;
    if (until.some((limit) => created > limit)) return false;
    if (!matchesLabels(record.config.Labels, filters["label"] ?? [])) return false;
    return !(filters["label!"] ?? []).some((label) => matchesLabels(record.config.Labels, [label]));
  });
}
