/** Routes of the daemon itself (`/info`, `/version`, `/events`, `/system/df`, `/_ping`) and what they need of an engine. */
import type { EventMessage } from "#api/types/event.ts";
import type { EventsQuery } from "#api/types/query.ts";
import type { DiskUsage, SystemInfo, SystemVersion } from "#api/types/system.ts";
import type { Awaitable } from "./containers.ts";

export type DiskUsageType = "container" | "image" | "volume" | "build-cache";

export interface SystemBackend {
  info(): Awaitable<SystemInfo>;
  version(): Awaitable<SystemVersion>;
  /** Ends with `signal` or at `until`. Throws "invalid" for an unknown filter. */
  events(query: EventsQuery, signal: AbortSignal): AsyncIterable<EventMessage>;
  /** Only what `types` names. */
  diskUsage(types: readonly DiskUsageType[], signal: AbortSignal): Awaitable<DiskUsage>;
}
