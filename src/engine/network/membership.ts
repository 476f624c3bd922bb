/** Joins running containers to networks and takes them out, so that a crash at any step leaves what can be settled. */
import { EngineError } from "#lib/errors.ts";
import type { Netlink } from "#linux/netlink.ts";
import { type Endpoints, named } from "./endpoints.ts";
import { interfaceName } from "./endpoint-options.ts";
import { addressesOf } from "./families.ts";
import { chooseGateways, gatewaysOf, namedGateways, sameGateways } from "./gateways.ts";
import { hostsText } from "./hosts.ts";
import type { SandboxLinks } from "./links.ts";
import type { Attachment } from "./plan.ts";
import type { Resolver } from "./resolver.ts";
import type { PortChanges } from "./port-changes.ts";
import { ownNamespace } from "./sandbox-records.ts";
import type { NetworkRecord, NetworkStore, SandboxRecord } from "./store.ts";
import type { Endpoint } from "./types.ts";

export interface MembershipParts {
  store: NetworkStore;
  endpoints: Endpoints;
  links: SandboxLinks;
  ports: PortChanges;
  resolver: Resolver;
  announce: (action: "connect" | "disconnect", endpoint: Endpoint, containerId: string) => void;
}

/** Writes down what must change together with the sandbox's record. */
export type Keep = () => void;

/**
 * The record never names an interface that the kernel has not: a new one is made before it is written down, an old one
 * removed after it is struck out. What a crash leaves beside the record is a stray port of a bridge, which recovery
 * removes, and where the default route was about to move, the mark `unsettled`, by which `settle` moves it.
 */
export class Membership {
  readonly #parts: MembershipParts;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
  }

  /**
   * Undefined where the container is not running. Throws "forbidden" where it is in the network; with an error nothing is
   * left, but what `keep` wrote down.
   */
  async connect(attachment: Attachment, containerId: string, keep: Keep = () => {}): Promise<Endpoint | undefined> {
    const { store, links, endpoints, announce } = this.#parts;
    const { network } = attachment;
    const before = store.sandboxes.get(containerId);
    if (before === undefined) return undefined;
    if (before.endpoints.some(({ networkId }) => networkId === network.id)) {
      throw new EngineError(
        "forbidden",
        `endpoint with name ${before.containerName} already exists in network ${network.name}`,
      );
    }
    const path = ownNamespace(before);
    await endpoints.vacated([attachment]);
    await this.#parts.resolver.prepare(containerId, path, [network]);
    using socket = await links.enter(path);
    const inside = interfaceName(attachment, network.bridge.interfacePrefix, before.endpoints);
    const names = { containerId, name: before.containerName, hostname: before.hostname };
    const endpoint = await endpoints.attach({ path, socket }, attachment, inside, names);
    using undo = new DisposableStack();
    const sandbox = store.sandboxes.get(containerId);
    if (sandbox !== undefined) undo.defer(() => this.settle(socket, sandbox));
    undo.defer(() => endpoints.detach(socket, endpoint));
    if (sandbox === undefined) {
      this.#parts.resolver.forget(containerId);
      return undefined;
    }
    const changed = {
      ...sandbox,
      endpoints: [...sandbox.endpoints, endpoint],
      priorities: { ...sandbox.priorities, [endpoint.endpointId]: attachment.gatewayPriority },
    };
    this.#change(socket, sandbox, changed, keep);
    undo.move();
    announce("connect", endpoint, containerId);
    return endpoint;
  }

  /** False where the container is not running or not attached. */
  async disconnect(network: NetworkRecord, containerId: string, keep: Keep = () => {}): Promise<boolean> {
    const { store, links, endpoints, announce } = this.#parts;
    const find = () => store.sandboxes.get(containerId)?.endpoints.find(({ networkId }) => networkId === network.id);
    const before = store.sandboxes.get(containerId);
    const joined = find();
    if (before === undefined || joined === undefined) return false;
    if (joined.interface === "" && before.netnsPath !== undefined) {
      // The network none: there is nothing but the record.
      store.putSandbox({ ...before, endpoints: before.endpoints.filter((one) => one !== joined) }, keep);
      announce("disconnect", joined, containerId);
      return true;
    }
    using socket = await links.enter(ownNamespace(before));
    const sandbox = store.sandboxes.get(containerId);
    const endpoint = find();
    if (sandbox === undefined || endpoint === undefined) return false;
    const rest = { ...sandbox, endpoints: sandbox.endpoints.filter((one) => one !== endpoint) };
    this.#change(socket, sandbox, rest, keep, () => {
      try {
        endpoints.detach(socket, endpoint);
      } catch (error) {
        // It is still there.
        store.putSandbox(sandbox);
        throw error;
      }
    });
    announce("disconnect", endpoint, containerId);
    return true;
  }

  /** The names of a running container follow its own. */
  rename(containerId: string, containerName: string): void {
    const { store } = this.#parts;
    const sandbox = store.sandboxes.get(containerId);
    if (sandbox === undefined || sandbox.containerName === containerName) return;
    const names = { containerId, name: containerName, hostname: sandbox.hostname };
    const endpoints = sandbox.endpoints.map((endpoint) => named(endpoint, endpoint.aliases, names));
    store.putSandbox({ ...sandbox, containerName, endpoints });
  }

  /** Leads default routes and ports to the endpoints that have them by the record, in the namespace of `socket`. */
  settle(socket: Netlink, sandbox: SandboxRecord): void {
    const { store, endpoints, ports } = this.#parts;
    const { unsettled: _, ...settled } = sandbox;
    const gateways = gatewaysOf(sandbox);
    const following = ports.follow(sandbox);
    endpoints.route(socket, gateways, true);
    endpoints.lead(following.published, gateways);
    store.putSandbox({ ...settled, published: following.published, ports: following.ports });
  }

  /** Stores a sandbox whose endpoints changed, does `work`, and moves routes and ports to the endpoints that now have them. */
  #change(
    socket: Netlink,
    before: SandboxRecord,
    changed: SandboxRecord,
    keep: Keep,
    work: () => void = () => {},
  ): void {
    const { store, endpoints } = this.#parts;
    const { gatewayEndpoint: _four, gatewayEndpoint6: _six, ...rest } = changed;
    const gateways = chooseGateways(rest.endpoints, rest.priorities);
    const addresses = rest.endpoints.flatMap(addressesOf);
    const hosts = hostsText({ ...rest, addresses, extra: rest.extraHosts });
    const after = { ...rest, hosts, ...namedGateways(gateways) };
    const moves = !sameGateways(gateways, gatewaysOf(before));
    store.putSandbox(moves ? { ...after, unsettled: true } : after, keep);
    work();
    if (!moves) return;
    endpoints.unlead(before.published, gatewaysOf(before));
    this.settle(socket, after);
  }
}
