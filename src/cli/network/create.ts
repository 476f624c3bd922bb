/** `berth network create`. */
import type { IpamConfig, NetworkCreateBody, NetworkCreateResponse } from "#api/types/network.ts";
import { verb as define } from "../command.ts";
import { checkLabel, labelMap } from "../container/option-checks.ts";
import { bool, list, map, string } from "../kinds.ts";

export const verb = define({
  use: "[OPTIONS] NETWORK",
  flags: {
    attachable: bool("Enable manual container attachment"),
    "aux-address": map("Auxiliary IPv4 or IPv6 addresses used by Network driver"),
    "config-from": string("The network from which to copy the configuration"),
    "config-only": bool("Create a configuration only network"),
    driver: string("Driver to manage the Network", { short: "d", initial: "bridge" }),
    gateway: list("IPv4 or IPv6 Gateway for the master subnet", { comma: true }),
    ingress: bool("Create swarm routing-mesh network"),
    internal: bool("Restrict external access to the network"),
    "ip-range": list("Allocate container ip from a sub-range", { comma: true }),
    "ipam-driver": string("IP Address Management Driver", { initial: "default" }),
    "ipam-opt": map("Set IPAM driver specific options"),
    ipv4: bool("Enable or disable IPv4 address assignment", { initial: true }),
    ipv6: bool("Enable or disable IPv6 address assignment"),
    label: list("Set metadata on a network", { check: checkLabel }),
    opt: map("Set driver specific options", { short: "o" }),
    scope: string("Control the network's scope"),
    subnet: list("Subnet in CIDR format that represents a network segment", { comma: true }),
  },
  args: { min: 1, max: 1 },
  complete: [[]],
  async run(session, { flags, args: [name = ""], changed }) {
    const body: NetworkCreateBody = {
      Name: name,
      // The flag's default says nothing about a network that only holds settings.
      Driver: flags["config-only"] && !changed.has("driver") ? "" : flags.driver,
      Scope: flags.scope,
      ...(changed.has("ipv4") ? { EnableIPv4: flags.ipv4 } : {}),
      ...(changed.has("ipv6") ? { EnableIPv6: flags.ipv6 } : {}),
      IPAM: {
        Driver: flags["ipam-driver"],
        Options: flags["ipam-opt"],
        Config: await ipamConfig(flags.subnet, flags["ip-range"], flags.gateway, flags["aux-address"]),
      },
      Internal: flags.internal,
      Attachable: flags.attachable,
      Ingress: flags.ingress,
      ConfigOnly: flags["config-only"],
      ...(flags["config-from"] ? { ConfigFrom: { Network: flags["config-from"] } } : {}),
      Options: flags.opt,
      Labels: labelMap(flags.label),
    };
    const { Id, Warning } = await session.daemon.json<NetworkCreateResponse>("POST", "/networks/create", { body });
    if (Warning) session.err.line(`WARNING: ${Warning}`);
    session.out.line(Id);
  },
});

/** Gives each subnet the range, the gateway and the addresses that lie in it. Throws Docker's words. */
async function ipamConfig(
  subnets: readonly string[],
  ranges: readonly string[],
  gateways: readonly string[],
  auxiliary: Readonly<Record<string, string>>,
): Promise<IpamConfig[]> {
  if (subnets.length < ranges.length || subnets.length < gateways.length)
    throw new Error("every ip-range or gateway must have a corresponding subnet");
  const contains = subnets.length > 0 ? await containment() : () => false;
  const configs: IpamConfig[] = [];
  for (const Subnet of subnets) {
    const clash = configs.some(({ Subnet: other = "" }) => contains(other, Subnet) || contains(Subnet, other));
    if (clash) throw new Error("multiple overlapping subnet configuration is not supported");
    configs.push({ Subnet });
  }
  const within = (what: string, text: string): IpamConfig => {
    const config = configs.find(({ Subnet = "" }) => contains(Subnet, text));
    if (!config) throw new Error(`no matching subnet for ${what} ${text}`);
    return config;
  };
  for (const range of ranges) {
    const config = within("range", range);
    if (config.IPRange !== undefined)
      throw new Error(
        `cannot configure multiple ranges (${range}, ${config.IPRange}) on the same subnet (${config.Subnet})`,
      );
    config.IPRange = range;
  }
  for (const gateway of gateways) {
    const config = within("gateway", gateway);
    if (config.Gateway !== undefined)
      throw new Error(
        `cannot configure multiple gateways (${gateway}, ${config.Gateway}) for the same subnet (${config.Subnet})`,
      );
    config.Gateway = gateway;
  }
  for (const [name, address] of Object.entries(auxiliary)) {
    const config = within("aux-address", address);
    config.AuxiliaryAddresses = { ...config.AuxiliaryAddresses, [name]: address };
  }
  return configs;
}

/** Whether the first address of `inner` (with or without a prefix length) lies in the subnet `outer`. */
async function containment(): Promise<(outer: string, inner: string) => boolean> {
  const { BlockList, isIP } = await import("node:net");
  return (outer, inner) => {
    const [network = "", length = ""] = outer.split("/");
    const [address = ""] = inner.split("/");
    if (isIP(network) === 0 || !/^\d{1,3}$/.test(length)) throw new Error(`invalid CIDR address: ${outer}`);
    if (isIP(address) === 0) throw new Error(`invalid CIDR address: ${inner}`);
    if (isIP(network) !== isIP(address)) return false;
    const family = isIP(network) === 4 ? "ipv4" : "ipv6";
    const list = new BlockList();
    list.addSubnet(network, Number(length), family);
    return list.check(address, family);
  };
}
