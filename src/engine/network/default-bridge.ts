/** What the predefined bridge is made of: the daemon's settings, and for what they leave open what it was before. */
import { EngineError } from "#lib/errors.ts";
import {
  ANY,
  contains,
  formatAddress,
  formatPrefix,
  type IpFamily,
  type IpPrefix,
  networkOf,
  parsePrefix,
  prefixOf,
  WIDTH,
} from "#lib/ip.ts";
import { FAMILIES, subnetOf } from "./families.ts";
import type { BridgeConfig, BridgeSubnet, NetworkRecord, SubnetConfig } from "./store.ts";
import { ipamConfigOf, pickedSubnet } from "./subnet-config.ts";
import type { NetworkOptions } from "./types.ts";

/** Throws kind "invalid" for settings that cannot be together. `pickSubnet` is called where nothing says which. */
export function defaultBridge(
  device: string,
  options: NetworkOptions,
  before: BridgeConfig | undefined,
  pickSubnet: (family: IpFamily) => IpPrefix,
): BridgeConfig {
  const { connected = true, masquerade = true, mtu = 0, hostBinding = ANY[4], ipv6 } = options.defaultBridge ?? {};
  const subnet = (family: IpFamily): BridgeSubnet => {
    const range = family === 4 ? options.defaultBridge?.range : options.defaultBridge?.range6;
    const base = fixedSubnet(family, options) ?? knownSubnet(family, range, before) ?? pickedSubnet(pickSubnet(family));
    return within({ ...base, ...(range !== undefined && { range }), mode: "nat" }, family);
  };
  return {
    device,
    ipv4: subnet(4),
    ...(ipv6 === true && { ipv6: subnet(6) }),
    connected,
    masquerade,
    mtu,
    hostBinding,
    interfacePrefix: "eth",
  };
}

/** As the API shows its addresses. */
export function defaultBridgeIpam(bridge: BridgeConfig): NetworkRecord["ipam"] {
  const subnets = FAMILIES.map((family) => subnetOf(bridge, family)).filter((subnet) => subnet !== undefined);
  return { Driver: "default", Options: null, Config: subnets.map((subnet) => ipamConfigOf(subnet)) };
}

/** From --bip or --bip6. */
function fixedSubnet(family: IpFamily, { bip, bip6 }: NetworkOptions): SubnetConfig | undefined {
  const text = family === 4 ? bip : bip6;
  if (text === undefined) return undefined;
  const address = parsePrefix(text);
  const unusable =
    address?.family !== family || address.bits > WIDTH[family] - 2 || networkOf(address).value === address.value;
  if (unusable || address === undefined) {
    const [option, example] = family === 4 ? ["--bip", "192.168.5.1/24"] : ["--bip6", "fd00:5::1/64"];
    throw new EngineError("invalid", `invalid ${option} ${text}: give an address with its prefix, as ${example}`);
  }
  const subnet = formatPrefix(networkOf(address));
  return { subnet, gateway: formatAddress(address), reserved: [], chosen: false };
}

/** What it was, if the range is a part of that; in IPv6 the range itself may be all that was said. */
function knownSubnet(
  family: IpFamily,
  range: string | undefined,
  before: BridgeConfig | undefined,
): SubnetConfig | undefined {
  const known = before === undefined ? undefined : subnetOf(before, family);
  if (family === 6 && range !== undefined && (known === undefined || !isPart(range, known.subnet))) {
    return pickedSubnet(prefixOf(range));
  }
  return known === undefined ? undefined : { ...pickedSubnet(prefixOf(known.subnet)), gateway: known.gateway };
}

function within(subnet: BridgeSubnet, family: IpFamily): BridgeSubnet {
  if (subnet.range === undefined || isPart(subnet.range, subnet.subnet)) return subnet;
  const option = family === 4 ? "--fixed-cidr" : "--fixed-cidr-v6";
  throw new EngineError(
    "invalid",
    `invalid ${option} ${subnet.range}: it is no part of the default bridge's subnet ${subnet.subnet}`,
  );
}

function isPart(range: string, subnet: string): boolean {
  const [inner, outer] = [prefixOf(range), prefixOf(subnet)];
  return contains(outer, inner) && inner.bits >= outer.bits;
}
