/** Routes of `/networks` and what they need of an engine. */
import type {
  EndpointSettings,
  NetworkCreateBody,
  NetworkCreateResponse,
  NetworkInspect,
  NetworksPruneResponse,
} from "#api/types/network.ts";
import type { Filters } from "#api/types/query.ts";
import type { Awaitable } from "./containers.ts";

/** `network` is an id, a prefix of one or a name. Rejects with not-found: `network x not found`. */
export interface NetworkBackend {
  list(filters: Filters): Awaitable<NetworkInspect[]>;
  inspect(network: string, options: { scope?: string; verbose: boolean }): Awaitable<NetworkInspect>;
  create(body: NetworkCreateBody): Awaitable<NetworkCreateResponse>;
  remove(network: string): Awaitable<void>;
  /** `container` as in ContainerBackend; stopped ones are connected at their start. */
  connect(network: string, container: string, endpoint: Partial<EndpointSettings>): Awaitable<void>;
  disconnect(network: string, container: string, force: boolean): Awaitable<void>;
  prune(filters: Filters): Awaitable<NetworksPruneResponse>;
}
