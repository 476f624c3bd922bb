/** Reads the addresses of a network to create (IPAM.Config), with Docker's checks and words. */
import type { IpamConfig } from "#api/types/network.ts";
import { EngineError } from "#lib/errors.ts";
import {
  contains,
  formatAddress,
  formatPrefix,
  type IpFamily,
  type IpPrefix,
  networkOf,
  offset,
  overlap,
  parseAddress,
  parsePrefix,
  prefixOf,
  WIDTH,
} from "#lib/ip.ts";
import type { SubnetConfig } from "./store.ts";

/** The subnets of each family that a body names, in its order. Throws kind "invalid" with all faults together. */
export function chosenSubnets(
  configs: readonly IpamConfig[],
  families: Readonly<Record<IpFamily, boolean>>,
): Record<IpFamily, SubnetConfig[]> {
  const found: Record<IpFamily, SubnetConfig[]> = { 4: [], 6: [] };
  const faults: string[] = [];
  for (const config of configs) {
    const { Subnet = "", Gateway = "", IPRange = "" } = config;
    // What docker network create sends where it is given no subnet.
    if (Subnet === "" && Gateway === "" && IPRange === "" && configs.length === 1) continue;
    const subnet = parsePrefix(Subnet);
    if (subnet === undefined) {
      faults.push(`invalid subnet ${Subnet}: invalid CIDR block notation`);
    } else if (families[subnet.family]) {
      found[subnet.family].push(chosenSubnet(config, subnet, faults));
    }
  }
  if (faults.length > 0) throw new EngineError("invalid", `invalid network config:\n${joined(faults)}`);
  return found;
}

/** A subnet that nobody chose: its first address is the gateway. */
export function pickedSubnet(subnet: IpPrefix): SubnetConfig {
  return {
    subnet: formatPrefix(subnet),
    gateway: formatAddress(offset(networkOf(subnet), 1)),
    reserved: [],
    chosen: false,
  };
}

/** Docker's joined errors: a list where there are several. */
export function joined(faults: readonly string[]): string {
  return faults.length === 1 ? (faults[0] ?? "") : faults.map((fault) => `* ${fault}`).join("\n");
}

/** As the API shows it: what was given, and what was made of it. */
export function ipamConfigOf({ subnet, gateway, range }: SubnetConfig, given: IpamConfig = {}): IpamConfig {
  return {
    ...given,
    Subnet: subnet,
    ...(range !== undefined && { IPRange: range }),
    ...(gateway !== "" && { Gateway: gateway }),
  };
}

/** Undefined where no configuration is of this family. */
export function givenFor(configs: readonly IpamConfig[], family: IpFamily): IpamConfig | undefined {
  return configs.find(({ Subnet = "" }) => parsePrefix(Subnet)?.family === family);
}

function chosenSubnet(
  { Gateway = "", IPRange = "", AuxiliaryAddresses }: IpamConfig,
  subnet: IpPrefix,
  faults: string[],
): SubnetConfig {
  const shown = formatPrefix(subnet);
  const masked = formatPrefix(networkOf(subnet));
  if (masked !== shown) faults.push(`invalid subnet ${shown}: it should be ${masked}`);
  if (subnet.bits > WIDTH[subnet.family] - 2) faults.push(`invalid subnet ${shown}: it has no room for a container`);
  if (subnet.family === 6) faults.push(...linkLocalFaults(subnet));
  const range = IPRange === "" ? undefined : rangeOf(IPRange, subnet, faults);
  const address = (text: string, what: string): string => {
    const found = parseAddress(text);
    if (found === undefined) faults.push(`invalid ${what}: invalid address`);
    else if (found.family !== subnet.family)
      faults.push(`invalid ${what}: parent subnet is an IPv${subnet.family} block`);
    else if (!contains(subnet, found))
      faults.push(`invalid ${what}: parent subnet ${shown} doesn't contain this address`);
    return found === undefined ? "" : formatAddress(found);
  };
  const gateway = Gateway === "" ? formatAddress(offset(networkOf(subnet), 1)) : address(Gateway, `gateway ${Gateway}`);
  const reserved = Object.entries(AuxiliaryAddresses ?? {}).map(([name, text]) =>
    address(text, `auxiliary address ${name}`),
  );
  return { subnet: masked, gateway, reserved, chosen: true, ...(range !== undefined && { range }) };
}

/** Each interface has addresses of fe80::/64 anyway. */
function linkLocalFaults(subnet: IpPrefix): string[] {
  const shown = formatPrefix(subnet);
  if (overlap(subnet, prefixOf("ff00::/8"))) return [`multicast subnet '${shown}' is not allowed`];
  const clashes = shown !== "fe80::/64" && overlap(subnet, prefixOf("fe80::/64"));
  return clashes ? [`'${shown}' clashes with the Link-Local prefix 'fe80::/64'`] : [];
}

function rangeOf(text: string, subnet: IpPrefix, faults: string[]): string | undefined {
  const range = parsePrefix(text);
  if (range === undefined) {
    faults.push(`invalid ip-range ${text}: invalid CIDR block notation`);
    return undefined;
  }
  const shown = formatPrefix(range);
  const parent = formatPrefix(subnet);
  if (range.family !== subnet.family) {
    faults.push(`invalid ip-range ${shown}: parent subnet is an IPv${subnet.family} block`);
    return shown;
  }
  if (range.bits < subnet.bits) {
    faults.push(`invalid ip-range ${shown}: CIDR block is bigger than its parent subnet ${parent}`);
  }
  const masked = formatPrefix(networkOf(range));
  if (masked !== shown) faults.push(`invalid ip-range ${shown}: it should be ${masked}`);
  if (!overlap(range, subnet)) {
    faults.push(`invalid ip-range ${shown}: parent subnet ${parent} doesn't contain ip-range`);
  }
  return masked;
}
