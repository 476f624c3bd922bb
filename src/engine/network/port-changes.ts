/** Publishes and withdraws ports of a container that runs. */
import type { PortMap } from "#api/types/container-config.ts";
import { EngineError, errorKind, errorMessage } from "#lib/errors.ts";
import { ANY } from "#lib/ip.ts";
import type { Logger } from "#lib/log.ts";
import type { Endpoints } from "./endpoints.ts";
import { FAMILIES, familyOfText } from "./families.ts";
import { type Gateways, gatewaysOf } from "./gateways.ts";
import type { PortClaims } from "./port-claims.ts";
import { containerAddresses, portRoutes, refuseUnreachable } from "./port-routes.ts";
import { portMap, type PortRequest, portRequests, portWishes, type PublishedPort } from "./ports.ts";
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
  readonly #log: Logger;

  constructor(store: NetworkStore, endpoints: Endpoints, claims: ReadonlyMap<string, PortClaims>, log: Logger) {
    this.#store = store;
    this.#endpoints = endpoints;
    this.#claims = claims;
    this.#log = log;
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

  /**
   * Withdraws all ports and answers what is to be led now that the sandbox has these gateways: a port that named no
   * address is in each of their families. One that somebody else has there meanwhile is only logged.
   */
  follow(sandbox: SandboxRecord): SandboxPorts {
    const claims = this.#claims.get(sandbox.containerId);
    if (claims === undefined) return sandbox;
    this.#endpoints.withdraw(claims.ports);
    const gateways = gatewaysOf(sandbox);
    const routes = portRoutes(gateways, this.#store);
    const families = FAMILIES.filter((family) => routes[family] !== undefined);
    if (families.length === 0) return sandbox;
    const isGone = ({ implied, hostAddress }: PublishedPort): boolean =>
      implied === true && !families.includes(familyOfText(hostAddress));
    claims.release(sandbox.published.filter(isGone));
    const published: PublishedPort[] = [];
    for (const port of sandbox.published) {
      if (!isGone(port)) published.push(port);
      if (port.implied !== true) continue;
      for (const family of families) {
        const wanted = { ...port, hostAddress: ANY[family] };
        if ([...published, ...sandbox.published].some((one) => isSame(one, wanted))) continue;
        try {
          published.push(...claims.claim([exactly(wanted)], containerAddresses(gateways)));
        } catch (error) {
          this.#log.warn({ container: sandbox.containerId, error: errorMessage(error) }, "cannot publish a port");
        }
      }
    }
    return { published, ports: portMap(published, Object.keys(sandbox.ports)) };
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

function isSame(a: PublishedPort, b: PublishedPort): boolean {
  return (
    a.protocol === b.protocol &&
    a.containerPort === b.containerPort &&
    a.hostAddress === b.hostAddress &&
    a.hostPort === b.hostPort
  );
}

/** A request for that port alone; one without a host port stays without. */
function exactly({ protocol, containerPort, hostAddress, hostPort }: PublishedPort): PortRequest {
  return {
    protocol,
    containerPort,
    hostPorts: { first: hostPort, last: hostPort },
    hostAddresses: [hostAddress],
    implied: [hostAddress],
    direct: hostPort === 0 ? FAMILIES : [],
  };
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
