/** Attaches containers to further networks and detaches them, running or not. */
import type { EndpointSettings } from "#api/types/network.ts";
import { EngineError } from "#lib/errors.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { isRunning } from "./record.ts";

/** A running container has its interface when this settles; a stopped one gets it at its next start. */
export async function connectNetwork(
  context: EngineContext,
  container: Container,
  network: string,
  settings: Partial<EndpointSettings>,
): Promise<void> {
  using _ = await container.lock.acquire();
  const { hostConfig, networkingConfig } = container.record;
  if (["host", "none"].includes(hostConfig.NetworkMode) || hostConfig.NetworkMode.startsWith("container:")) {
    throw new EngineError(
      "forbidden",
      `container cannot be connected to ${network}: its network mode is ${hostConfig.NetworkMode}`,
    );
  }
  const { Name } = context.networks.inspect(network);
  if (isRunning(container.state)) await context.networks.connect(network, container.id, settings);
  networkingConfig.EndpointsConfig = { ...networkingConfig.EndpointsConfig, [Name]: settings };
  context.containers.saveRecord(container);
}

/** Throws "conflict" where the container is not attached. */
export async function disconnectNetwork(context: EngineContext, container: Container, network: string): Promise<void> {
  using _ = await container.lock.acquire();
  const { record } = container;
  const { Name, Id } = context.networks.inspect(network);
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
}
