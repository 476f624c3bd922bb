/** Makes bridges anew that somebody removed while containers were in them. */
import { errorMessage } from "#lib/errors.ts";
import type { Logger } from "#lib/log.ts";
import type { BridgeNetworks, LiveBridge } from "./bridge-networks.ts";
import { gatewaysOf } from "./gateways.ts";
import type { SandboxLinks } from "./links.ts";
import type { NetworkStore, SandboxRecord } from "./store.ts";
import type { Endpoint } from "./types.ts";

export interface LinkRepairParts {
  store: NetworkStore;
  bridges: BridgeNetworks;
  links: SandboxLinks;
  /** Interfaces of the default bridge that no container has yet. */
  spares: () => readonly Endpoint[];
  log: Logger;
}

/** One short question to the kernel per network. */
const CHECK_INTERVAL_MS = 2000;

export class LinkRepair {
  readonly #parts: LinkRepairParts;
  #timer: Timer | undefined;

  constructor(parts: LinkRepairParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer = setInterval(() => this.check(), CHECK_INTERVAL_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Failures are logged, and the next check tries again. */
  check(): void {
    const { bridges, log } = this.#parts;
    for (const live of bridges.missing()) {
      const bridge = live.network.bridge.device;
      try {
        bridges.remake(live);
        this.#refill(live);
        log.warn({ bridge, network: live.network.name }, "the bridge of a network was gone: made anew");
      } catch (error) {
        log.error({ bridge, error: errorMessage(error) }, "cannot make the bridge of a network anew");
      }
    }
  }

  #refill(live: LiveBridge): void {
    const { store, links, spares, log } = this.#parts;
    const isIn = ({ networkId }: Endpoint): boolean => networkId === live.network.id;
    for (const sandbox of store.attached(live.network.id)) {
      for (const endpoint of sandbox.endpoints.filter(isIn)) {
        if (!reattach(links, live, sandbox, endpoint)) reportLost(log, sandbox, endpoint);
      }
    }
    const port = { hairpin: false, isolated: !live.network.bridge.connected };
    for (const { hostInterface } of spares().filter(isIn)) links.reattach(hostInterface, live.index, port);
  }
}

/** Puts a container's interface back into its bridge; false where it is gone. */
export function reattach(links: SandboxLinks, live: LiveBridge, sandbox: SandboxRecord, endpoint: Endpoint): boolean {
  const leads = Object.values(gatewaysOf(sandbox)).includes(endpoint);
  const hairpin = sandbox.published.length > 0 && leads;
  return links.reattach(endpoint.hostInterface, live.index, { hairpin, isolated: !live.network.bridge.connected });
}

export function reportLost(log: Logger, { containerId }: SandboxRecord, endpoint: Endpoint): void {
  log.warn(
    { container: containerId, interface: endpoint.hostInterface },
    "a running container has lost its network interface",
  );
}
