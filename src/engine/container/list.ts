/** Which containers a list or a prune means: Docker's filters. */
import type { ContainerListQuery, Filters } from "#api/types/query.ts";
import { EngineError } from "#lib/errors.ts";
import { NEVER, parseTime } from "#lib/time.ts";
import { untilFilter } from "#lib/time-filter.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { networkSettings, summaryPorts } from "./network.ts";
import { isRunning } from "./record.ts";

const STATUSES = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];
const HEALTHS = ["none", "starting", "healthy", "unhealthy"];

type Test = (container: Container) => boolean;

/** Newest first. Throws "invalid" for unknown filters and values, "not-found" for an unknown `before` or `since`. */
export function selectContainers(context: EngineContext, query: ContainerListQuery): Container[] {
  const tests = Object.entries(query.filters).map(([name, values]) => filterTest(context, name, values));
  const wantsStopped = query.all || query.limit > 0 || (query.filters["status"]?.length ?? 0) > 0;
  const found = context.containers
    .all()
    .filter((one) => wantsStopped || isRunning(one.state) || one.state.status === "restarting")
    .filter((one) => tests.every((test) => test(one)))
    .toSorted(newestFirst);
  return query.limit > 0 ? found.slice(0, query.limit) : found;
}

/** Label tests shared by lists and prunes: `key` or `key=value`. */
function matchesLabels(labels: Readonly<Record<string, string>>, wanted: readonly string[]): boolean {
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
      return any(({ id }, value) => id.startsWith(value));
    case "name":
      return any(
        (container, value) =>
          matchesExpression(value, container.name) || matchesExpression(value, `/${container.name}`),
      );
    case "label":
      return (container) => matchesLabels(container.record.config.Labels, values);
    case "status":
      for (const value of values) {
        checkWord("status", "state", value, STATUSES);
      }
      return any((container, value) => container.state.status === value);
    case "exited": {
      const codes = values.map((value) => {
        if (!/^[+-]?\d+$/.test(value)) {
          const why = `strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`;
          throw new EngineError("invalid", `invalid filter 'exited=${value}': ${why}`);
        }
        return Number(value);
      });
      return ({ state }) =>
        codes.length === 0 || (codes.includes(state.exitCode) && !isRunning(state) && state.startedAt !== NEVER);
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
    case "expose": {
      const ranges = values.map((value) => portRange(name, value));
      const key = name === "publish" ? "PublicPort" : "PrivatePort";
      return (container) =>
        ranges.length === 0 ||
        summaryPorts(context, container).some((port) => ranges.some((range) => range(port[key], port.Type)));
    }
    case "health":
      for (const value of values) checkWord("health", "health", value, HEALTHS);
      return any(({ state }, value) => value === (state.health?.Status ?? "none"));
    case "is-task":
      for (const value of values) {
        if (!/^(true|false|0|1)$/i.test(value)) throw new EngineError("invalid", `invalid filter 'is-task=${value}'`);
      }
      return any((_, value) => /^(false|0)$/i.test(value));
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

function checkWord(filter: string, what: string, value: string, words: readonly string[]): void {
  if (words.includes(value)) return;
  throw new EngineError(
    "invalid",
    `invalid filter '${filter}=${value}': invalid value for ${what} (${value}): must be one of ${words.join(", ")}`,
  );
}

/** `value` is `port`, `port/proto` or `first-last/proto`. */
function portRange(filter: string, value: string): (port: number | undefined, protocol: string) => boolean {
  if (value.includes(":")) {
    throw new EngineError("invalid", `filter for '${filter}' should not contain ':': ${value}`);
  }
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/.exec(value);
  const [first, last] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
  if (match === null || first > last || last > 65535) {
    throw new EngineError("invalid", `error while looking up for ${filter} ${value}: invalid port`);
  }
  const wanted = match[3] ?? "tcp";
  return (port, protocol) => port !== undefined && protocol === wanted && first <= port && port <= last;
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
export function selectPrunable(context: EngineContext, filters: Filters): Container[] {
  for (const name of Object.keys(filters)) {
    if (!PRUNE_FILTERS.includes(name)) throw new EngineError("invalid", `invalid filter '${name}'`);
  }
  const until = untilFilter(filters["until"]);
  return context.containers.all().filter(({ state, record, removing }) => {
    if (removing || isRunning(state) || state.status === "restarting") return false;
    const created = parseTime(record.created) ?? 0n;
    if (until !== undefined && created > until) return false;
    if (!matchesLabels(record.config.Labels, filters["label"] ?? [])) return false;
    return !(filters["label!"] ?? []).some((label) => matchesLabels(record.config.Labels, [label]));
  });
}
