/** Publishes and withdraws ports of a container that runs. */
import type { PortMap } from "#api/types/container-config.ts";
import { EngineError, errorKind, errorMessage } from "#lib/errors.ts";
import type { Endpoints } from "./endpoints.ts";
import { type Gateways, gatewaysOf } from "./gateways.ts";
import type { PortClaims } from "./port-claims.ts";
import { containerAddresses, portRoutes, refuseUnreachable } from "./port-routes.ts";
import { portMap, portRequests, portWishes, type PublishedPort } from "./ports.ts";
import type { NetworkStore, SandboxRecord } from "./store.ts";

export interface PortChange {
  /** As `SandboxRequest.ports`. */
  add: PortMap;
  remove: readonly PublishedPort[];
  /** Keys of Config.ExposedPorts. */
  exposed: readonly string[];
}

export interface AppliedPorts {
  /** Idempotent. */
  undo(): void;
  /** Ends connections through ports that were removed, soon. */
  cut(): void;
}

/** What a sandbox publishes, for putting it back. */
export type SandboxPorts = Pick<SandboxRecord, "published" | "ports">;

export class PortChanges {
  readonly #store: NetworkStore;
  readonly #endpoints: Endpoints;
  readonly #claims: ReadonlyMap<string, PortClaims>;

  constructor(store: NetworkStore, endpoints: Endpoints, claims: ReadonlyMap<string, PortClaims>) {
    this.#store = store;
    this.#endpoints = endpoints;
    this.#claims = claims;
  }

  /** All or none. Throws "conflict" where no port can be published, and what a start with these ports would throw. */
  apply(containerId: string, { add, remove, exposed }: PortChange): AppliedPorts {
    const before = this.#store.sandboxes.get(containerId);
    const claims = this.#claims.get(containerId);
    const gateways = before === undefined ? {} : gatewaysOf(before);
    if (before === undefined || claims === undefined || Object.keys(gateways).length === 0) {
      throw new EngineError("conflict", "ports cannot be published: the container is in no network that leads out");
    }
    const routes = portRoutes(gateways, this.#store);
    const wishes = portWishes(add, [], false);
    using undo = new DisposableStack();
    this.#withdraw(claims, remove, gateways);
    undo.defer(() => {
      for (const port of remove) claims.keep(port);
      this.#endpoints.lead(remove, gateways);
    });
    const added = publishing(before.containerName, gateways, () => {
      refuseUnreachable(wishes, routes);
      return claims.claim(portRequests(wishes, routes), containerAddresses(gateways));
    });
    undo.defer(() => claims.release(added));
    publishing(before.containerName, gateways, () => this.#endpoints.lead(added, gateways));
    undo.defer(() => this.#endpoints.unlead(added, gateways));
    const kept = before.published.filter((port) => !remove.includes(port));
    const published = [...kept, ...added].toSorted((a, b) => a.containerPort - b.containerPort);
    this.restore(containerId, { published, ports: portMap(published, exposed) });
    undo.defer(() => this.restore(containerId, before));
    const taken = undo.move();
    return { undo: () => taken.dispose(), cut: () => this.#endpoints.cut(remove, gateways) };
  }

  /** Writes down what a sandbox publishes: after a crash the kernel is brought to it. */
  restore(containerId: string, { published, ports }: SandboxPorts): void {
    const sandbox = this.#store.sandboxes.get(containerId);
    if (sandbox !== undefined) this.#store.putSandbox({ ...sandbox, published, ports });
  }

  #withdraw(claims: PortClaims, ports: readonly PublishedPort[], gateways: Gateways): void {
    this.#endpoints.unlead(ports, gateways);
    claims.release(ports);
  }
}

/** Does `work`, whose failure is told in Docker's words. */
export function publishing<T>(name: string, gateways: Gateways, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const where = `endpoint ${name} (${(gateways[4] ?? gateways[6])?.endpointId ?? ""})`;
    throw new EngineError(
      errorKind(error),
      `driver failed programming external connectivity on ${where}: ${errorMessage(error)}`,
      { cause: error },
    );
  }
}
