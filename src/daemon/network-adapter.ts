/** Joins the engine's networks and containers for the routes that need both. */
import type {
  EndpointSettings,
  NetworkCreateBody,
  NetworkCreateResponse,
  NetworkInspect,
  NetworksPruneResponse,
} from "#api/types/network.ts";
import type { Filters } from "#api/types/query.ts";
import type { Engine } from "#engine/engine.ts";
import { EngineError } from "#lib/errors.ts";
import type { NetworkBackend } from "./routes/networks.ts";

export class NetworkAdapter implements NetworkBackend {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  list(filters: Filters): NetworkInspect[] {
    return this.#engine.networks.list(filters);
  }

  inspect(network: string, { scope }: { scope?: string }): NetworkInspect {
    const found = this.#engine.networks.inspect(network);
    if (scope === undefined || found.Scope === scope) return found;
    throw new EngineError("not-found", `network ${network} not found`);
  }

  create(body: NetworkCreateBody): Promise<NetworkCreateResponse> {
    return this.#engine.networks.create(body);
  }

  remove(network: string): Promise<void> {
    return this.#engine.networks.remove(network);
  }

  connect(network: string, container: string, endpoint: Partial<EndpointSettings>): Promise<void> {
    return this.#engine.containers.connectNetwork(network, container, endpoint);
  }

  disconnect(network: string, container: string, force: boolean): Promise<void> {
    return this.#engine.containers.disconnectNetwork(network, container, force);
  }

  prune(filters: Filters): Promise<NetworksPruneResponse> {
    return this.#engine.networks.prune(filters, this.#engine.containers.networksInUse());
  }
}
