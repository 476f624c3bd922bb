/** Which networks a container is in after a change. */
import type { ContainerChanges } from "#api/types/change.ts";
import type { EndpointSettings } from "#api/types/network.ts";
import type { EngineContext } from "#engine/container/context.ts";
import { configuredNetworks, withNetwork, withoutNetwork } from "#engine/container/configured-networks.ts";
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
  context: Pick<EngineContext, "networks">,
  next: ContainerRecord,
  { Add, Remove }: NonNullable<ContainerChanges["Networks"]>,
): NetworkPlan {
  const plan: NetworkPlan = { add: new Map(), remove: new Map() };
  const isIn = (...names: string[]) => configuredNetworks(next).some((name) => names.includes(name));
  for (const [reference, settings] of Object.entries(Add ?? {})) {
    assertJoins(context, next, reference);
    const { Name, Id } = context.networks.inspect(reference);
    if (isIn(Name, Id)) {
      throw new EngineError("forbidden", `endpoint with name ${next.name} already exists in network ${Name}`);
    }
    Object.assign(next, withNetwork(next, Name, settings ?? {}));
    plan.add.set(Name, settings ?? {});
  }
  for (const reference of Remove ?? []) {
    const { Name, Id } = context.networks.inspect(reference);
    const endpoints = next.networkingConfig.EndpointsConfig ?? {};
    const left = withoutNetwork(next, [Name, Id]);
    if (left === undefined) {
      throw new EngineError("conflict", `container ${next.id} is not connected to network ${Name}`);
    }
    if (plan.add.has(Name)) throw new EngineError("invalid", `network ${Name} is to be both added and removed`);
    plan.remove.set(Name, endpoints[Name] ?? endpoints[Id] ?? {});
    Object.assign(next, left);
  }
  return plan;
}
