/** What is there once per family of addresses: the parts of a network's and of an endpoint's record by family. */
import type { IpFamily } from "#lib/ip.ts";
import type { Endpoint } from "./types.ts";

export const FAMILIES = [4, 6] as const satisfies readonly IpFamily[];

/** Of canonical text. */
export function familyOfText(address: string): IpFamily {
  return address.includes(":") ? 6 : 4;
}

/** Undefined where the network has no such addresses. */
export function subnetOf<T>({ ipv4, ipv6 }: { ipv4?: T; ipv6?: T }, family: IpFamily): T | undefined {
  return family === 4 ? ipv4 : ipv6;
}

/** Empty where the endpoint has none. */
export function addressIn(endpoint: Pick<Endpoint, "ipAddress" | "ipv6Address">, family: IpFamily): string {
  return family === 4 ? endpoint.ipAddress : endpoint.ipv6Address;
}

/** Empty where the endpoint leads nowhere. */
export function gatewayIn(endpoint: Pick<Endpoint, "gateway" | "ipv6Gateway">, family: IpFamily): string {
  return family === 4 ? endpoint.gateway : endpoint.ipv6Gateway;
}

/** All addresses of an endpoint, IPv4 first. */
export function addressesOf(endpoint: Pick<Endpoint, "ipAddress" | "ipv6Address">): string[] {
  return FAMILIES.map((family) => addressIn(endpoint, family)).filter((address) => address !== "");
}
