/** Attaches containers to further networks and detaches them, running or not. */
import type { EndpointSettings } from "#api/types/network.ts";
import { hostTexts, refreshHostFiles } from "#engine/change/host-files.ts";
import { EngineError } from "#lib/errors.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { type ContainerRecord, isRunning } from "./record.ts";

/** A running container has its interface when this settles; a stopped one gets it at its next start. */
export async function connectNetwork(
  context: EngineContext,
  container: Container,
  network: string,
  settings: Partial<EndpointSettings>,
): Promise<void> {
  using _ = await container.lock.acquire();
  const { networkingConfig } = container.record;
  assertJoins(container.record, network);
  const { Name } = context.networks.inspect(network);
  const texts = hostTexts(context, container.id);
  if (isRunning(container.state)) await context.networks.connect(network, container.id, settings);
  networkingConfig.EndpointsConfig = { ...networkingConfig.EndpointsConfig, [Name]: settings };
  context.containers.saveRecord(container);
  refreshHostFiles(context, container.record, texts);
}

/** Throws "conflict" where the container is not attached. */
export async function disconnectNetwork(context: EngineContext, container: Container, network: string): Promise<void> {
  using _ = await container.lock.acquire();
  const { record } = container;
  const { Name, Id } = context.networks.inspect(network);
  const texts = hostTexts(context, container.id);
  const { detached } = await context.networks.disconnect(network, container.id);
  const endpoints = { ...record.networkingConfig.EndpointsConfig };
  const configured = Name in endpoints || Id in endpoints || record.hostConfig.NetworkMode === Name;
  if (!detached && !configured) {
    throw new EngineError("conflict", `container ${container.id} is not connected to network ${Name}`);
  }
  delete endpoints[Name];
  delete endpoints[Id];
  record.networkingConfig.EndpointsConfig = endpoints;
  if (record.hostConfig.NetworkMode === Name) record.hostConfig.NetworkMode = Object.keys(endpoints)[0] ?? "none";
  context.containers.saveRecord(container);
  refreshHostFiles(context, record, texts);
}

/** Throws "forbidden" for a container that cannot join networks. */
export function assertJoins({ hostConfig }: ContainerRecord, network: string): void {
  const { NetworkMode } = hostConfig;
  if (!["host", "none"].includes(NetworkMode) && !NetworkMode.startsWith("container:")) return;
  throw new EngineError("forbidden", `container cannot be connected to ${network}: its network mode is ${NetworkMode}`);
}
