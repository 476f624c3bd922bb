/** Routes of `/networks` and what they need of an engine. */
import type {
  EndpointSettings,
  NetworkCreateBody,
  NetworkCreateResponse,
  NetworkInspect,
  NetworksPruneResponse,
} from "#api/types/network.ts";
import type { Filters } from "#api/types/query.ts";
import { networkConnectSchema, networkCreateSchema, networkDisconnectSchema } from "#api/schemas/network.ts";
import { type ApiRouter, compareVersions } from "../api.ts";
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

/** `/networks`. */
export function addNetworkRoutes(router: ApiRouter, backend: NetworkBackend): void {
  router.add("GET", "/networks", async (exchange) => {
    exchange.json(200, await backend.list(exchange.query.filters()));
  });
  router.add("POST", "/networks/create", async (exchange) => {
    const body = await exchange.fields(networkCreateSchema);
    if (compareVersions(exchange.version, "1.48") < 0) body.EnableIPv4 = null;
    exchange.json(201, await backend.create(body));
  });
  router.add("POST", "/networks/prune", async (exchange) => {
    exchange.json(200, await backend.prune(exchange.query.filters()));
  });
  router.add("GET", "/networks/{id}", async (exchange) => {
    const scope = exchange.query.optional("scope");
    const options = { verbose: exchange.query.strictFlag("verbose"), ...(scope !== undefined && { scope }) };
    exchange.json(200, await backend.inspect(exchange.param("id"), options));
  });
  router.add("DELETE", "/networks/{id}", async (exchange) => {
    await backend.remove(exchange.param("id"));
    exchange.noContent();
  });
  router.add("POST", "/networks/{id}/connect", async (exchange) => {
    const { Container, EndpointConfig } = await exchange.fields(networkConnectSchema);
    await backend.connect(exchange.param("id"), Container, EndpointConfig ?? {});
    exchange.response.send(200);
  });
  router.add("POST", "/networks/{id}/disconnect", async (exchange) => {
    const { Container, Force } = await exchange.fields(networkDisconnectSchema);
    await backend.disconnect(exchange.param("id"), Container, Force ?? false);
    exchange.response.send(200);
  });
}
