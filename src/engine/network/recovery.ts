/** Brings the kernel back to what the database says, whenever and however the last daemon ended. */
import { errorMessage } from "#lib/errors.ts";
import type { Logger } from "#lib/log.ts";
import { type BridgeNetworks, firewallNetwork, type LiveBridge } from "./bridge-networks.ts";
import type { Endpoints } from "./endpoints.ts";
import { addressIn, FAMILIES } from "./families.ts";
import type { Firewall } from "./firewall.ts";
import { gatewaysOf } from "./gateways.ts";
import type { SandboxLinks } from "./links.ts";
import { reattach, reportLost } from "./link-repair.ts";
import { ownNamespace } from "./sandbox-records.ts";
import type { MonitorOf, Resolver } from "./resolver.ts";
import type { Sandboxes } from "./sandboxes.ts";
import type { NetworkStore, SandboxRecord } from "./store.ts";
import { enableForwarding } from "./sysctls.ts";

export interface RecoveryParts {
  store: NetworkStore;
  bridges: BridgeNetworks;
  links: SandboxLinks;
  endpoints: Endpoints;
  firewall: Firewall;
  resolver: Resolver;
  sandboxes: Sandboxes;
  monitorOf: MonitorOf;
  log: Logger;
}

/** How long removed namespaces may take to remove their interfaces before those are removed by name. */
const LINGER_MS = 1000;

/** Keeps the sandboxes of `live` containers; links, namespaces, leases and elements of all others go. Idempotent. */
export async function recoverNetworks(parts: RecoveryParts, live: ReadonlySet<string>): Promise<void> {
  const { store, bridges, links, endpoints, firewall, resolver, sandboxes, log } = parts;
  enableForwarding(4);
  for (const id of store.sandboxes.keys()) if (!live.has(id)) store.removeSandbox(id);
  const kept = [...store.sandboxes.values()];
  // First of all: clients are waiting for it.
  resolver.recover(kept, parts.monitorOf);
  await removeStrayChildren(parts, kept);
  const dying = await links.removeNamespacesExcept(new Set(kept.flatMap(({ netnsPath }) => netnsPath ?? [])));
  const raised: LiveBridge[] = [];
  for (const network of store.networks.values()) {
    if (network.bridge === undefined) continue;
    try {
      raised.push(bridges.raise({ ...network, bridge: network.bridge }));
    } catch (error) {
      log.error(
        { error, network: network.name },
        `cannot bring up the network ${network.name}: ${errorMessage(error)}`,
      );
    }
  }
  await removeStrayPorts(parts, raised, kept, dying > 0 ? LINGER_MS : 0);
  for (const sandbox of kept) restore(parts, sandbox);
  firewall.reset(
    raised.filter(({ network }) => network.bridge.parent === undefined).map(({ network }) => firewallNetwork(network)),
    kept.flatMap((sandbox) => endpoints.targets(sandbox.published, gatewaysOf(sandbox))),
  );
  for (const sandbox of kept) {
    sandboxes.adopt(sandbox);
    if (sandbox.unsettled === true) await settle(parts, sandbox);
  }
}

/** Removes veth pairs of our bridges that no sandbox knows. Most go with their namespace, in `patience` ms. */
async function removeStrayPorts(
  { bridges, links }: RecoveryParts,
  raised: readonly LiveBridge[],
  kept: readonly SandboxRecord[],
  patience: number,
): Promise<void> {
  const known = new Set(kept.flatMap(({ endpoints }) => endpoints.map(({ hostInterface }) => hostInterface)));
  const stray = () => raised.flatMap((live) => bridges.ports(live)).filter((name) => !known.has(name));
  const deadline = performance.now() + patience;
  while (stray().length > 0 && performance.now() < deadline) await Bun.sleep(20);
  for (const name of stray()) links.detach(name);
}

/** Leases the addresses again and puts interfaces back into their bridges. */
function restore({ bridges, links, log }: RecoveryParts, sandbox: SandboxRecord): void {
  for (const endpoint of sandbox.endpoints) {
    const live = bridges.get(endpoint.networkId);
    if (live === undefined) continue;
    try {
      for (const family of FAMILIES) {
        const address = addressIn(endpoint, family);
        if (address !== "") live.addresses[family]?.claim(address);
      }
      if (live.network.bridge.parent !== undefined) continue;
      if (!reattach(links, live, sandbox, endpoint)) reportLost(log, sandbox, endpoint);
    } catch (error) {
      log.error(
        { error, container: sandbox.containerId },
        `cannot restore an endpoint of a running container: ${errorMessage(error)}`,
      );
    }
  }
}

/** The record keeps its mark where that fails: the next daemon tries again. */
async function settle({ links, sandboxes, log }: RecoveryParts, sandbox: SandboxRecord): Promise<void> {
  try {
    using socket = await links.enter(ownNamespace(sandbox));
    sandboxes.membership.settle(socket, sandbox);
  } catch (error) {
    log.error(
      { error, container: sandbox.containerId },
      `cannot restore the default route of a running container: ${errorMessage(error)}`,
    );
  }
}

/** Interfaces of macvlan and ipvlan networks hold their addresses on the parent until they are gone, and hide from the host. */
async function removeStrayChildren({ store, bridges, links, log }: RecoveryParts, kept: readonly SandboxRecord[]) {
  if (![...store.networks.values()].some(({ bridge }) => bridge?.parent !== undefined)) return;
  const known = new Map(kept.map(({ netnsPath, endpoints }) => [netnsPath, endpoints.map((one) => one.interface)]));
  for (const path of links.namespaces()) {
    try {
      using socket = await links.enter(path);
      bridges.parents.removeStrays(socket, new Set(known.get(path)));
    } catch (error) {
      log.warn({ path, error: errorMessage(error) }, "cannot look for stray interfaces in a network namespace");
    }
  }
}
