/** Gives running containers their sandboxes and takes them back: namespace, endpoints, ports, resolv.conf and hosts. */
import { EngineError, errorKind, errorMessage } from "#lib/errors.ts";
import type { Logger } from "#lib/log.ts";
import type { Endpoints } from "./endpoints.ts";
import { named } from "./endpoints.ts";
import { addressesOf } from "./families.ts";
import type { ForwardGuard } from "./forward-guard.ts";
import { chooseGateways, type Gateways, gatewaysOf, namedGateways, sameGateways } from "./gateways.ts";
import { hostModeHostsText, hostsText, parseExtraHosts } from "./hosts.ts";
import { internalResolvConf } from "./internal-resolv-conf.ts";
import type { SandboxLinks, SandboxNamespace } from "./links.ts";
import { Membership } from "./membership.ts";
import { randomId } from "./names.ts";
import { interfaceName } from "./endpoint-options.ts";
import { leadsPorts } from "./parent-config.ts";
import { type Attachment, lookup, planSandbox } from "./plan.ts";
import { PortChanges, publishing } from "./port-changes.ts";
import { containerAddresses, portRoutes, refuseUnreachable } from "./port-routes.ts";
import { PortBook, PortClaims } from "./port-claims.ts";
import { portMap, portRequests, portWishes, type PublishedPort } from "./ports.ts";
import { containerResolvConf, HOST_FILE, hostResolvConfText, readOrEmpty, type ResolvConf } from "./resolv-conf.ts";
import { hasNames, type Resolver } from "./resolver.ts";
import { emptyEndpoint, identity, usesSpare } from "./sandbox-records.ts";
import type { NetworkRecord, NetworkStore, SandboxDns, SandboxRecord } from "./store.ts";
import type { Endpoint, NetworkOptions, Sandbox, SandboxRequest } from "./types.ts";
import { WarmPool } from "./warm-pool.ts";

export interface SandboxParts {
  store: NetworkStore;
  endpoints: Endpoints;
  links: SandboxLinks;
  guard: ForwardGuard;
  resolver: Resolver;
  options: NetworkOptions;
  emit: (action: string, id: string, attributes: Record<string, string>) => void;
  log: Logger;
}

/** A namespace with an interface in the default bridge that no container has yet. */
interface Spare {
  namespace: SandboxNamespace;
  endpoint: Endpoint;
}

const DEFAULT_SPARES = 4;

/** Contracts of the methods: NetworkService, which passes them on. */
export class Sandboxes {
  readonly #parts: SandboxParts;
  readonly #book = new PortBook();
  readonly #claims = new Map<string, PortClaims>();
  readonly #spares: WarmPool<Spare>;
  readonly ports: PortChanges;
  readonly membership: Membership;

  constructor(parts: SandboxParts) {
    this.#parts = parts;
    this.ports = new PortChanges(parts.store, parts.endpoints, this.#claims, parts.log);
    this.membership = new Membership({
      ...parts,
      ports: this.ports,
      announce: (action, endpoint, containerId) => this.#announce(action, endpoint, containerId),
    });
    this.#spares = new WarmPool({
      size: parts.options.warm ?? DEFAULT_SPARES,
      make: () => this.#makeSpare(),
      dispose: async (spare) => this.#discard(spare.namespace, [spare.endpoint]),
      log: parts.log,
    });
  }

  async allocate(request: SandboxRequest): Promise<Sandbox> {
    const existing = this.#parts.store.sandboxes.get(request.containerId);
    if (existing !== undefined) return existing;
    try {
      const plan = planSandbox(this.#parts.store, request);
      if (plan.kind === "shared") return this.#shared(request, plan.with);
      if (plan.kind === "own") return await this.#own(request, plan.attachments);
      return await this.#plain(request, plan.network);
    } catch (error) {
      throw new EngineError(errorKind(error), `failed to set up container networking: ${errorMessage(error)}`, {
        cause: error,
      });
    }
  }

  release(containerId: string): void {
    const { store, endpoints } = this.#parts;
    const sandbox = store.sandboxes.get(containerId);
    if (sandbox === undefined) return;
    endpoints.unlead(sandbox.published, gatewaysOf(sandbox));
    this.#claims.get(containerId)?.[Symbol.dispose]();
    this.#claims.delete(containerId);
    store.removeSandbox(containerId);
    if (sandbox.sharedWith === undefined && sandbox.netnsPath !== undefined)
      endpoints.dismantle(sandbox.netnsPath, sandbox.endpoints);
    for (const endpoint of sandbox.endpoints) this.#announce("disconnect", endpoint, containerId);
  }

  /** Texts of hosts and resolv.conf as `request` now asks for them; undefined where they are not the container's own. */
  refresh(request: SandboxRequest): Sandbox | undefined {
    const sandbox = this.#parts.store.sandboxes.get(request.containerId);
    if (sandbox === undefined || sandbox.sharedWith !== undefined) return undefined;
    const host = sandbox.netnsPath === undefined;
    const extraHosts = this.#extraHosts(request);
    const addresses = sandbox.endpoints.flatMap(addressesOf);
    const hosts = host
      ? hostModeHostsText(readOrEmpty("/etc/hosts"), extraHosts)
      : hostsText({ ...request, addresses, extra: extraHosts });
    const names = sandbox.endpoints.map(({ networkName }) => networkName);
    const next = { ...sandbox, extraHosts, hosts, ...this.#dns(request, names, host, sandbox.dns !== undefined) };
    this.#parts.store.putSandbox(next);
    return next;
  }

  /** Claims the ports of a sandbox that survived. One that was taken meanwhile is only logged: nftables still leads to the container. */
  adopt(sandbox: SandboxRecord): void {
    const claims = new PortClaims(this.#book);
    this.#claims.set(sandbox.containerId, claims);
    for (const port of sandbox.published) {
      if (claims.keep(port)) continue;
      this.#parts.log.warn(
        { container: sandbox.containerId, port: port.hostPort },
        "another program took a published port",
      );
    }
  }

  /** Interfaces of the default bridge that no container has yet. */
  spares(): Endpoint[] {
    return this.#spares.all().map(({ endpoint }) => endpoint);
  }

  /** Begins to keep spares. */
  start(): void {
    this.#spares.refillSoon();
  }

  /** Removes spares and frees claimed ports. Sandboxes stay. */
  async close(): Promise<void> {
    await this.#spares.close();
    for (const claims of this.#claims.values()) claims[Symbol.dispose]();
    this.#claims.clear();
  }

  #shared(request: SandboxRequest, owner: string): SandboxRecord {
    const { store } = this.#parts;
    if (owner === request.containerId) throw new EngineError("invalid", "cannot join own network");
    const target = store.sandboxes.get(owner);
    if (target === undefined)
      throw new EngineError("conflict", `cannot join network of a non running container: ${owner}`);
    const { netnsPath, resolvConf, hosts } = target;
    const own = { sandboxId: "", endpoints: [], ports: {}, published: [], priorities: {}, extraHosts: [] };
    const sandbox: SandboxRecord = { ...identity(request), ...own, sharedWith: owner, netnsPath, resolvConf, hosts };
    store.putSandbox(sandbox);
    return sandbox;
  }

  /** Containers of the host's namespace, or with loopback only. */
  async #plain(request: SandboxRequest, network: NetworkRecord): Promise<SandboxRecord> {
    const { store, links } = this.#parts;
    const host = network.driver === "host";
    const extraHosts = this.#extraHosts(request);
    const namespace = host ? undefined : await links.createNamespace(request.namespace);
    namespace?.socket.close();
    const endpoint = emptyEndpoint(network, request);
    const sandbox: SandboxRecord = {
      ...identity(request),
      sandboxId: namespace?.sandboxId ?? randomId(),
      netnsPath: namespace?.path,
      endpoints: [endpoint],
      ports: {},
      ...this.#dns(request, [], host),
      hosts: host
        ? hostModeHostsText(readOrEmpty("/etc/hosts"), extraHosts)
        : hostsText({ ...request, addresses: [], extra: extraHosts }),
      published: [],
      priorities: {},
      extraHosts,
    };
    store.putSandbox(sandbox);
    this.#announce("connect", endpoint, request.containerId);
    return sandbox;
  }

  async #own(request: SandboxRequest, attachments: readonly Attachment[]): Promise<SandboxRecord> {
    const { store, links, guard, endpoints: kernel } = this.#parts;
    guard.check();
    const extraHosts = this.#extraHosts(request);
    const spare = request.namespace === undefined && usesSpare(attachments) ? this.#spares.take() : undefined;
    const namespace = spare?.namespace ?? (await links.createNamespace(request.namespace));
    const networks = attachments.map(({ network }) => network);
    const served = this.#parts.resolver.prepare(request.containerId, namespace.path, networks);
    // Waited for in the end: the interfaces are made meanwhile.
    served.catch(() => {});
    await kernel.vacated(attachments);
    using undo = new DisposableStack();
    undo.defer(() => this.#parts.resolver.forget(request.containerId));
    const endpoints: Endpoint[] = [];
    undo.defer(() => this.#discard(namespace, spare === undefined ? endpoints : [spare.endpoint, ...endpoints]));
    for (const [i, attachment] of attachments.entries()) {
      const ready = i === 0 ? spare?.endpoint : undefined;
      const name = interfaceName(attachment, attachment.network.bridge.interfacePrefix, endpoints);
      endpoints.push(
        ready === undefined
          ? await kernel.attach(namespace, attachment, name, request)
          : named(ready, attachment.aliases, request),
      );
    }
    const priorities = Object.fromEntries(
      endpoints.map(({ endpointId }, i) => [endpointId, attachments[i]?.gatewayPriority ?? 0]),
    );
    const gateways = chooseGateways(endpoints, priorities);
    const ways = Object.values(gateways);
    const routed = spare === undefined ? {} : chooseGateways([spare.endpoint], {});
    if (!sameGateways(gateways, routed)) kernel.route(namespace.socket, gateways, spare !== undefined);
    const claims = undo.use(new PortClaims(this.#book));
    const published = this.#publish(request, gateways, claims);
    undo.defer(() => kernel.unlead(published, gateways));
    await served;
    const sandbox: SandboxRecord = {
      ...identity(request),
      sandboxId: namespace.sandboxId,
      netnsPath: namespace.path,
      endpoints,
      ports: ways.length === 0 || ways.some(leadsPorts) ? portMap(published, request.exposedPorts ?? []) : {},
      ...this.#dns(
        request,
        networks.map(({ name }) => name),
      ),
      hosts: hostsText({ ...request, addresses: endpoints.flatMap(addressesOf), extra: extraHosts }),
      published,
      priorities,
      extraHosts,
      ...namedGateways(gateways),
    };
    store.putSandbox(sandbox);
    undo.move();
    namespace.socket.close();
    this.#claims.set(request.containerId, claims);
    for (const endpoint of endpoints) this.#announce("connect", endpoint, request.containerId);
    return sandbox;
  }

  #publish(request: SandboxRequest, gateways: Gateways, claims: PortClaims): PublishedPort[] {
    const wishes = portWishes(request.ports ?? {}, request.exposedPorts ?? [], request.publishAll ?? false);
    if (wishes.length === 0) return [];
    const routes = portRoutes(gateways, this.#parts.store);
    return publishing(request.name, gateways, () => {
      refuseUnreachable(wishes, routes);
      const published = claims.claim(portRequests(wishes, routes), containerAddresses(gateways));
      this.#parts.endpoints.lead(published, gateways);
      return published;
    });
  }

  async #makeSpare(): Promise<Spare> {
    const { store, links, endpoints } = this.#parts;
    const namespace = await links.createNamespace();
    try {
      const network = lookup(store, "bridge");
      if (network.bridge === undefined) throw new EngineError("internal", "the default network is not a bridge");
      return { namespace, endpoint: await endpoints.attachSpare(namespace, { ...network, bridge: network.bridge }) };
    } catch (error) {
      this.#discard(namespace, []);
      throw error;
    }
  }

  #discard(namespace: SandboxNamespace, endpoints: readonly Endpoint[]): void {
    namespace.socket.close();
    this.#parts.endpoints.dismantle(namespace.path, endpoints);
  }

  #extraHosts({ extraHosts = [], linked = [] }: SandboxRequest) {
    const { store, options } = this.#parts;
    return [
      ...parseExtraHosts(extraHosts, options.hostGateway ?? lookup(store, "bridge").bridge?.ipv4?.gateway ?? ""),
      ...linked,
    ];
  }

  /** The text of resolv.conf, and what the DNS server must know where that is what the container asks. */
  #dns(
    request: SandboxRequest,
    networks: readonly string[],
    host = false,
    before = false,
  ): { resolvConf: string; dns?: SandboxDns } {
    if (host && !choosesDns(request)) return { resolvConf: readOrEmpty(HOST_FILE) };
    const { options } = this.#parts;
    const overrides: ResolvConf = {
      nameservers: [...(request.dns ?? options.dns ?? [])],
      search: [...(request.dnsSearch ?? options.dnsSearch ?? [])],
      options: [...(request.dnsOptions ?? options.dnsOptions ?? [])],
    };
    if (!before && !networks.some(hasNames)) {
      const ipv6 = networks.some((name) => this.#parts.store.find(name)?.bridge?.ipv6 !== undefined);
      return { resolvConf: containerResolvConf(hostResolvConfText(), overrides, ipv6) };
    }
    const { text, ...dns } = internalResolvConf(readOrEmpty(HOST_FILE), overrides);
    return { resolvConf: text, dns };
  }

  #announce(action: "connect" | "disconnect", { networkId, networkName }: Endpoint, container: string): void {
    const type = this.#parts.store.networks.get(networkId)?.driver ?? "bridge";
    this.#parts.emit(action, networkId, { container, name: networkName, type });
  }
}

function choosesDns({ dns = [], dnsSearch = [], dnsOptions = [] }: SandboxRequest): boolean {
  return dns.length + dnsSearch.length + dnsOptions.length > 0;
}
