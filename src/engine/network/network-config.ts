/** Turns the body of `POST /networks/create` into a record, refusing what Docker or Berth cannot do. */
import type { NetworkCreateBody } from "#api/types/network.ts";
import { EngineError } from "#lib/errors.ts";
import type { IpFamily, IpPrefix } from "#lib/ip.ts";
import { bridgeOptions, familiesOf, parentLinkOptions, routing, shownOptions } from "./bridge-options.ts";
import { FAMILIES } from "./families.ts";
import { randomId } from "./names.ts";
import { isParentDriver, needsGateway } from "./parent-config.ts";
import type { BridgeSubnet, NetworkRecord } from "./store.ts";
import { chosenSubnets, givenFor, ipamConfigOf, pickedSubnet } from "./subnet-config.ts";

export const PREDEFINED = ["bridge", "host", "none"];

/**
 * A record of driver "bridge", "macvlan" or "ipvlan". `pickSubnet` is called for each family that the body names no subnet of. Throws kinds
 * "invalid", "forbidden", "not-found", "not-implemented".
 */
export function networkFromBody(body: NetworkCreateBody, pickSubnet: (family: IpFamily) => IpPrefix): NetworkRecord {
  refuseUnsupported(body);
  const id = randomId();
  const driver = body.Driver || "bridge";
  const options = { ...body.Options };
  const internal = body.Internal ?? false;
  const families = familiesOf(body, options);
  const configs = body.IPAM?.Config ?? [];
  const chosen = chosenSubnets(configs, families);
  if (FAMILIES.some((family) => chosen[family].length > 1)) {
    throw new EngineError("forbidden", `${driver} driver doesn't support multiple subnets`);
  }
  const fixed = isParentDriver(driver) ? parentLinkOptions(driver, options, id) : bridgeOptions(options, id);
  const subnets: Partial<Record<IpFamily, BridgeSubnet>> = {};
  for (const family of FAMILIES.filter((one) => families[one])) {
    const way = routing(options, family, internal);
    const subnet = chosen[family][0] ?? pickedSubnet(pickSubnet(family));
    // Nobody leaves there, so that no address is needed for it unless the user asks for one.
    const idle =
      !needsGateway(internal, fixed) ||
      way.mode === "isolated" ||
      (family === 4 && fixed.withoutAddress === true && internal);
    const given = givenFor(configs, family)?.Gateway;
    subnets[family] = { ...subnet, ...way, gateway: idle && !given ? "" : subnet.gateway };
  }
  const { 4: ipv4, 6: ipv6 } = subnets;
  return {
    id,
    name: body.Name,
    driver: isParentDriver(driver) ? driver : "bridge",
    created: new Date().toISOString(),
    ipam: {
      Driver: body.IPAM?.Driver || "default",
      Options: body.IPAM?.Options ?? {},
      Config: FAMILIES.flatMap((family) => {
        const subnet = subnets[family];
        return subnet === undefined ? [] : [ipamConfigOf(subnet, givenFor(configs, family))];
      }),
    },
    internal,
    attachable: body.Attachable ?? false,
    options: shownOptions(body, options),
    labels: { ...body.Labels },
    ...(body.ConfigFrom?.Network && { configFrom: body.ConfigFrom.Network }),
    bridge: { ...fixed, ...(ipv4 !== undefined && { ipv4 }), ...(ipv6 !== undefined && { ipv6 }) },
  };
}

/** Throws "invalid" and "forbidden" for names that no network of a user's can have. */
export function assertName(name: string): void {
  if (name.trim() === "") throw new EngineError("invalid", `invalid network name: "${name}"`);
  if (PREDEFINED.includes(name)) {
    throw new EngineError("forbidden", `operation is not permitted on predefined ${name} network `);
  }
}

function refuseUnsupported(body: NetworkCreateBody): void {
  const driver = body.Driver || "bridge";
  if (driver === "host" || driver === "null") {
    throw new EngineError("forbidden", `only one instance of "${driver}" network is allowed`);
  }
  if (driver !== "bridge" && !isParentDriver(driver)) throw noPlugin(driver);
  const ipamDriver = body.IPAM?.Driver || "default";
  if (ipamDriver !== "default") throw noPlugin(ipamDriver);
  if (body.Ingress) throw new EngineError("forbidden", "Ingress network can only be global scope network");
  if (body.Scope === "swarm") {
    throw new EngineError("forbidden", "cannot create a swarm scoped network when swarm is not active");
  }
  if (body.Scope !== undefined && body.Scope !== "" && body.Scope !== "local") {
    throw new EngineError("not-implemented", `networks of scope ${body.Scope} are not supported`);
  }
}

function noPlugin(name: string): EngineError {
  return new EngineError("not-found", `could not find plugin ${name} in v1 plugin registry: plugin not found`);
}
