/** Chooses by which of its endpoints a container reaches everything else, per family of addresses. */
import type { IpFamily } from "#lib/ip.ts";
import { addressIn, FAMILIES, gatewayIn } from "./families.ts";
import type { SandboxRecord } from "./store.ts";
import type { Endpoint } from "./types.ts";

/** Endpoints of the default routes and of the published ports. */
export type Gateways = Partial<Record<IpFamily, Endpoint>>;

/** Whether the endpoint is a way to everywhere else. */
export function leadsOut(endpoint: Endpoint, family: IpFamily): boolean {
  return endpoint.routesByLink === true ? addressIn(endpoint, family) !== "" : gatewayIn(endpoint, family) !== "";
}

/**
 * As Docker: the first endpoint that leads out in both families, else the first of each. First are those of a higher
 * priority, then those that lead out in more families, then by name.
 */
export function chooseGateways(endpoints: readonly Endpoint[], priorities: Readonly<Record<string, number>>): Gateways {
  const count = (endpoint: Endpoint): number => FAMILIES.filter((family) => leadsOut(endpoint, family)).length;
  const priority = ({ endpointId }: Endpoint): number => priorities[endpointId] ?? 0;
  const ordered = endpoints.toSorted(
    (a, b) => priority(b) - priority(a) || count(b) - count(a) || (a.networkName < b.networkName ? -1 : 1),
  );
  const both = ordered.find((endpoint) => count(endpoint) === FAMILIES.length);
  const [four, six] = FAMILIES.map((family) => both ?? ordered.find((one) => leadsOut(one, family)));
  return { ...(four !== undefined && { 4: four }), ...(six !== undefined && { 6: six }) };
}

/** Those that a record names. */
export function gatewaysOf({
  endpoints,
  gatewayEndpoint,
  gatewayEndpoint6,
}: Pick<SandboxRecord, "endpoints" | "gatewayEndpoint" | "gatewayEndpoint6">): Gateways {
  const four = endpoints.find(({ endpointId }) => endpointId === gatewayEndpoint);
  const six = endpoints.find(({ endpointId }) => endpointId === gatewayEndpoint6);
  return { ...(four !== undefined && { 4: four }), ...(six !== undefined && { 6: six }) };
}

/** As a record names them. */
export function namedGateways(gateways: Gateways): Pick<SandboxRecord, "gatewayEndpoint" | "gatewayEndpoint6"> {
  return {
    ...(gateways[4] !== undefined && { gatewayEndpoint: gateways[4].endpointId }),
    ...(gateways[6] !== undefined && { gatewayEndpoint6: gateways[6].endpointId }),
  };
}

export function sameGateways(a: Gateways, b: Gateways): boolean {
  return FAMILIES.every((family) => a[family]?.endpointId === b[family]?.endpointId);
}
