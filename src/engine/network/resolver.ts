/** Who is served by the DNS server at 127.0.0.11, by which names, and whom it asks: the container side of engine/dns. */
import { readFileSync, realpathSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { NamedSandbox, SocketHolder, Upstream } from "#engine/dns/protocol.ts";
import { DnsService } from "#engine/dns/service.ts";
import { errorMessage } from "#lib/errors.ts";
import { addressBytes, parseAddress } from "#lib/ip.ts";
import type { Logger } from "#lib/log.ts";
import type { Inotify } from "#linux/inotify.ts";
import { gatewaysOf } from "./gateways.ts";
import { PUBLIC_SERVERS } from "./internal-resolv-conf.ts";
import { HOST_FILE, parseResolvConf, readOrEmpty } from "./resolv-conf.ts";
import type { NetworkStore, SandboxRecord } from "./store.ts";

/** Containers of the default bridge ask the host's servers themselves, as in Docker. */
export function hasNames(networkName: string): boolean {
  return networkName !== "bridge";
}

/** The process that may hold a container's sockets, and under which numbers. */
export type MonitorOf = (containerId: string) => SocketHolder | undefined;

/** Follows the store: each change of a sandbox counts for queries that are sent after it. */
export class Resolver {
  readonly #store: NetworkStore;
  readonly #log: Logger;
  readonly #changes: Inotify | undefined;
  readonly #dns: DnsService;
  #watches: Disposable[] = [];

  /** Without `changes` the host's servers are those of the start. */
  constructor(store: NetworkStore, log: Logger, changes: Inotify | undefined) {
    this.#store = store;
    this.#log = log;
    this.#changes = changes;
    this.#dns = new DnsService(log, hostServers);
    store.onSandbox = (id, sandbox) => this.#follow(id, sandbox);
  }

  /** Ends when the namespace of a container that will be in such networks has its server; at once where it needs none. */
  async prepare(containerId: string, namespace: string, networks: readonly { name: string }[]): Promise<void> {
    if (!networks.some(({ name }) => hasNames(name))) return;
    this.#watchHost();
    await this.#dns.open(containerId, { namespace });
  }

  /** What the container's monitor is to inherit, so that queries wait in it while no daemon runs. */
  sockets(containerId: string): number[] {
    const sockets = this.#dns.sockets(containerId);
    return sockets === undefined ? [] : [sockets.udp, sockets.tcp];
  }

  /** Serves the sandboxes of the last daemon again. Does not wait for it. */
  recover(sandboxes: readonly SandboxRecord[], monitorOf: MonitorOf): void {
    const served = sandboxes.filter(isServed);
    // All names first: what waits in the sockets is answered at once.
    for (const sandbox of served) this.#follow(sandbox.containerId, sandbox);
    for (const { containerId, netnsPath = "" } of served) {
      this.#watchHost();
      const holder = monitorOf(containerId);
      const opening = { namespace: netnsPath, ...(holder && { holder }) };
      this.#dns.open(containerId, opening).catch((error: unknown) => {
        this.#log.error({ container: containerId }, errorMessage(error));
      });
    }
  }

  /** Takes back what `prepare` did for a sandbox that came to nothing. */
  forget(containerId: string): void {
    if (!this.#store.sandboxes.has(containerId)) this.#dns.remove(containerId);
  }

  /** Servers end, and no query is refused: clients ask the next daemon. */
  async close(): Promise<void> {
    for (const watch of this.#watches) watch[Symbol.dispose]();
    await this.#dns.close();
  }

  #follow(id: string, sandbox: SandboxRecord | undefined): void {
    if (sandbox === undefined) this.#dns.remove(id);
    else if (isServed(sandbox)) this.#dns.put(named(sandbox));
  }

  /** The file may be a link to one that another program writes: both folders are watched. */
  #watchHost(): void {
    if (this.#watches.length > 0 || this.#changes === undefined) return;
    for (const file of new Set([HOST_FILE, realPath(HOST_FILE)])) {
      try {
        this.#watches.push(this.#changes.watch(dirname(file), (name) => this.#hostChanged(file, name)));
      } catch (error) {
        this.#log.warn({ error: errorMessage(error) }, `changes of ${file} will not be followed`);
      }
    }
  }

  #hostChanged(file: string, name: string): void {
    if (name !== basename(file) && name !== "") return;
    this.#dns.reload();
    if (file !== HOST_FILE) return;
    for (const watch of this.#watches) watch[Symbol.dispose]();
    this.#watches = [];
    this.#watchHost();
  }
}

function isServed({ sharedWith, netnsPath, dns, endpoints }: SandboxRecord): boolean {
  if (sharedWith !== undefined || netnsPath === undefined) return false;
  return dns !== undefined || endpoints.some((endpoint) => endpoint.interface !== "" && hasNames(endpoint.networkName));
}

function named(sandbox: SandboxRecord): NamedSandbox {
  const { containerId, netnsPath = "", dns } = sandbox;
  return {
    id: containerId,
    namespace: netnsPath,
    external: Object.keys(gatewaysOf(sandbox)).length > 0,
    ndots: dns?.ndots ?? false,
    ...(dns?.servers && { servers: upstreams(dns.servers, false) }),
    endpoints: sandbox.endpoints
      .filter(({ networkName }) => hasNames(networkName))
      .map(({ networkId, networkName, dnsNames, ipAddress, ipv6Address, links }) => {
        const ipv4 = bytesOf(ipAddress);
        const ipv6 = bytesOf(ipv6Address);
        return {
          network: networkId,
          networkName,
          names: dnsNames,
          ...(ipv4 && { ipv4 }),
          ...(ipv6 && { ipv6 }),
          ...(links && { links }),
        };
      }),
  };
}

/** Whom the host asks; Docker's choice where it has nobody. */
function hostServers(): Upstream[] {
  const found = upstreams(parseResolvConf(readOrEmpty(HOST_FILE)).nameservers, true);
  return found.length > 0 ? found : upstreams(PUBLIC_SERVERS, false);
}

/** Passes over what is no address. */
function upstreams(servers: readonly string[], host: boolean): Upstream[] {
  return servers.flatMap((server) => {
    const [address = "", zone] = server.split("%");
    const bytes = bytesOf(address);
    if (bytes === undefined) return [];
    const scope = zone === undefined ? undefined : interfaceIndex(zone);
    return [{ bytes, host, ...(scope !== undefined && { scope }) }];
  });
}

function bytesOf(text: string): Uint8Array | undefined {
  const address = parseAddress(text);
  return address === undefined ? undefined : addressBytes(address);
}

function interfaceIndex(name: string): number | undefined {
  try {
    return Number(readFileSync(`/sys/class/net/${basename(name)}/ifindex`, "utf8"));
  } catch {
    return undefined;
  }
}

function realPath(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}
