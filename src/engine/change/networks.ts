/** Which networks a container is in after a change. */
import type { ContainerChanges } from "#api/types/change.ts";
import type { EndpointSettings } from "#api/types/network.ts";
import type { EngineContext } from "#engine/container/context.ts";
import { assertJoins } from "#engine/container/network-attachment.ts";
import type { ContainerRecord } from "#engine/container/record.ts";
import { EngineError } from "#lib/errors.ts";

export interface NetworkPlan {
  /** By name. */
  add: Map<string, Partial<EndpointSettings>>;
  remove: Map<string, Partial<EndpointSettings>>;
}

/** Changes `next`. Throws "not-found" for unknown networks, "forbidden" and "conflict" where one is joined already or not. */
export function changeNetworks(
  { networks }: Pick<EngineContext, "networks">,
  next: ContainerRecord,
  { Add, Remove }: NonNullable<ContainerChanges["Networks"]>,
): NetworkPlan {
  const { hostConfig, networkingConfig } = next;
  const endpoints = { ...networkingConfig.EndpointsConfig };
  const plan: NetworkPlan = { add: new Map(), remove: new Map() };
  for (const [reference, settings] of Object.entries(Add ?? {})) {
    assertJoins(next, reference);
    const { Name, Id } = networks.inspect(reference);
    if (Name in endpoints || Id in endpoints || hostConfig.NetworkMode === Name) {
      throw new EngineError("forbidden", `endpoint with name ${next.name} already exists in network ${Name}`);
    }
    endpoints[Name] = settings ?? {};
    plan.add.set(Name, settings ?? {});
  }
  for (const reference of Remove ?? []) {
    const { Name, Id } = networks.inspect(reference);
    if (!(Name in endpoints) && !(Id in endpoints) && hostConfig.NetworkMode !== Name) {
      throw new EngineError("conflict", `container ${next.id} is not connected to network ${Name}`);
    }
    if (plan.add.has(Name)) throw new EngineError("invalid", `network ${Name} is to be both added and removed`);
    plan.remove.set(Name, endpoints[Name] ?? endpoints[Id] ?? {});
    delete endpoints[Name];
    delete endpoints[Id];
    if (hostConfig.NetworkMode === Name) hostConfig.NetworkMode = Object.keys(endpoints)[0] ?? "none";
  }
  networkingConfig.EndpointsConfig = endpoints;
  return plan;
}
