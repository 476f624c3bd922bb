/** By which families and in which way ports of a container can be published, given the networks that lead to it. */
import { EngineError } from "#lib/errors.ts";
import { ANY, type IpFamily } from "#lib/ip.ts";
import { addressIn, FAMILIES, familyOfText, subnetOf } from "./families.ts";
import type { Gateways } from "./gateways.ts";
import { leadsPorts } from "./parent-config.ts";
import type { PortRoutes, PortWish } from "./ports.ts";
import type { NetworkStore } from "./store.ts";

/** The default host address is that of the network that leads to the container in IPv4, else in IPv6. */
export function portRoutes(gateways: Gateways, store: Pick<NetworkStore, "networks">): PortRoutes {
  const bridgeOf = (family: IpFamily) => {
    const gateway = gateways[family];
    return gateway === undefined || !leadsPorts(gateway) ? undefined : store.networks.get(gateway.networkId)?.bridge;
  };
  const routes: PortRoutes = { hostBinding: (bridgeOf(4) ?? bridgeOf(6))?.hostBinding ?? ANY[4] };
  for (const family of FAMILIES) {
    const bridge = bridgeOf(family);
    const subnet = bridge === undefined ? undefined : subnetOf(bridge, family);
    if (subnet !== undefined) routes[family] = subnet.mode === "routed" ? "direct" : "translated";
  }
  return routes;
}

/** Throws kind "invalid" for a host address of a family that the container does not have: no kernel turns one into the other. */
export function refuseUnreachable(wishes: readonly PortWish[], routes: PortRoutes): void {
  for (const { hostIp, containerPort, protocol } of wishes) {
    const family = familyOfText(hostIp);
    if (hostIp === "" || routes[family] !== undefined || Object.keys(routes).length === 1) continue;
    throw new EngineError(
      "invalid",
      `cannot publish port ${containerPort}/${protocol} on ${hostIp}: the container has no IPv${family} address that leads out`,
    );
  }
}

/** The container's addresses to which its ports lead; empty where there is none. */
export function containerAddresses(gateways: Gateways): Record<IpFamily, string> {
  const address = (family: IpFamily): string => {
    const endpoint = gateways[family];
    return endpoint === undefined ? "" : addressIn(endpoint, family);
  };
  return { 4: address(4), 6: address(6) };
}
