/** Routes of the daemon itself (`/info`, `/version`, `/events`, `/system/df`, `/_ping`) and what they need of an engine. */
import { eventJson, type EventMessage } from "#api/types/event.ts";
import type { EventsQuery } from "#api/types/query.ts";
import type { DiskUsage, SystemInfo, SystemVersion } from "#api/types/system.ts";
import { EngineError } from "#lib/errors.ts";
import { type ApiRouter, apiVersion, compareVersions, type Exchange } from "../api.ts";
import type { Awaitable } from "./containers.ts";
import { diskUsageOf, infoOf } from "./old-versions.ts";

export type DiskUsageType = "container" | "image" | "volume" | "build-cache";

export interface SystemBackend {
  info(): Awaitable<SystemInfo>;
  version(): Awaitable<SystemVersion>;
  /** Ends with `signal` or at `until`. Throws "invalid" for an unknown filter. */
  events(query: EventsQuery, signal: AbortSignal): AsyncIterable<EventMessage>;
  /** Only what `types` names. */
  diskUsage(types: readonly DiskUsageType[], signal: AbortSignal): Awaitable<DiskUsage>;
}

const DISK_USAGE_TYPES: readonly string[] = ["container", "image", "volume", "build-cache"];

/** `/_ping`, `/info`, `/version`, `/events` and `/system/df`. */
export function addSystemRoutes(router: ApiRouter, backend: SystemBackend): void {
  const ping = ({ response }: Exchange): void => {
    response.setHeader("Builder-Version", "1");
    response.setHeader("Swarm", "inactive");
    response.setHeader("Cache-Control", "no-cache, no-store, must-revalidate");
    response.setHeader("Pragma", "no-cache");
    response.send(200, "OK", "text/plain; charset=utf-8");
  };
  router.add("GET", "/_ping", ping);
  router.add("HEAD", "/_ping", ping);
  router.add("GET", "/info", async (exchange) => exchange.json(200, infoOf(exchange.version, await backend.info())));
  router.add("GET", "/version", async (exchange) =>
    exchange.json(200, { ...(await backend.version()), ApiVersion: apiVersion }),
  );
  router.add("GET", "/events", async (exchange) => {
    const { query, request, response } = exchange;
    const since = query.time("since");
    const until = query.time("until");
    if (since !== undefined && until !== undefined && until < since) {
      const [from, to] = [query.text("since"), query.text("until")];
      throw new EngineError("invalid", `\`since\` time (${from}) cannot be after \`until\` time (${to})`);
    }
    const events = backend.events(
      { filters: query.filters(), ...(since !== undefined && { since }), ...(until !== undefined && { until }) },
      request.signal,
    );
    // The head goes before the first event: clients wait for it to know that they listen.
    const body = response.stream(200, "application/json");
    const hidesImageCreate = compareVersions(exchange.version, "1.46") < 0;
    for await (const event of events) {
      if (hidesImageCreate && event.Type === "image" && event.Action === "create") continue;
      const taken = body.write(`${eventJson(event)}\n`);
      if (taken === false) break;
      if (taken !== true) await taken;
    }
    body.end();
  });
  // Nothing is ever cached for builds, so that all of it is gone already.
  router.add("POST", "/build/prune", (exchange) => {
    const { query } = exchange;
    query.filters();
    const old = compareVersions(exchange.version, "1.48") < 0;
    for (const name of old ? ["keep-storage"] : ["reserved-space", "max-used-space", "min-free-space"])
      query.bytes(name);
    if (!old && !query.bytes("reserved-space")) query.bytes("keep-storage");
    exchange.json(200, { CachesDeleted: null, SpaceReclaimed: 0 });
  });
  router.add("GET", "/system/df", async (exchange) => {
    const asked = compareVersions(exchange.version, "1.42") < 0 ? [] : exchange.query.list("type");
    for (const type of asked) {
      if (!DISK_USAGE_TYPES.includes(type)) throw new EngineError("invalid", `unknown object type: ${type}`);
    }
    const types = (asked.length > 0 ? asked : DISK_USAGE_TYPES) as DiskUsageType[];
    exchange.json(200, diskUsageOf(exchange.version, await backend.diskUsage(types, exchange.request.signal)));
  });
}
