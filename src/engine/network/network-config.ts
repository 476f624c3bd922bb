/** Turns the body of `POST /networks/create` into a record, refusing what Docker or Berth cannot do. */
import type { IpamConfig, NetworkCreateBody } from "#api/types/network.ts";
import { EngineError } from "#lib/errors.ts";
import {
  contains,
  formatIpv4,
  formatPrefix,
  type Ipv4Prefix,
  networkOf,
  overlap,
  parseIpv4,
  parsePrefix,
} from "#lib/ipv4.ts";
import { bridgeDevice, isDeviceName, randomId } from "./names.ts";
import { dummyDevice, isParentDriver, needsGateway, type ParentDriver, parentOptions } from "./parent-config.ts";
import type { BridgeConfig, NetworkRecord } from "./store.ts";

export const PREDEFINED = ["bridge", "host", "none"];

const OPTION = {
  name: "com.docker.network.bridge.name",
  connected: "com.docker.network.bridge.enable_icc",
  masquerade: "com.docker.network.bridge.enable_ip_masquerade",
  hostBinding: "com.docker.network.bridge.host_binding_ipv4",
  gatewayMode: "com.docker.network.bridge.gateway_mode_ipv4",
  mtu: "com.docker.network.driver.mtu",
  prefix: "com.docker.network.container_iface_prefix",
  ipv4: "com.docker.network.enable_ipv4",
  ipv6: "com.docker.network.enable_ipv6",
} as const;

/** Options of the predefined bridge, as Docker shows them. */
export function defaultBridgeOptions({
  device,
  connected,
  masquerade,
  hostBinding,
  mtu,
}: BridgeConfig): Record<string, string> {
  return {
    "com.docker.network.bridge.default_bridge": "true",
    [OPTION.connected]: String(connected),
    [OPTION.masquerade]: String(masquerade),
    [OPTION.hostBinding]: formatIpv4(hostBinding),
    [OPTION.name]: device,
    [OPTION.mtu]: String(mtu || 1500),
  };
}

/** A record of driver "bridge". `pickSubnet` is called where the body names no subnet. Throws kinds "invalid", "forbidden", "not-found", "not-implemented". */
export function networkFromBody(body: NetworkCreateBody, pickSubnet: () => Ipv4Prefix): NetworkRecord {
  refuseUnsupported(body);
  const id = randomId();
  const driver = body.Driver || "bridge";
  const [config = {}, ...others] = body.IPAM?.Config ?? [];
  if (others.length > 0) {
    throw new EngineError("invalid", `${driver} driver doesn't support multiple subnets`);
  }
  const chosen = chosenSubnet(config);
  const options = { ...body.Options };
  const links = isParentDriver(driver) ? parentLinks(driver, options, id) : bridgeOptions(options, id);
  const subnet = chosen?.subnet ?? pickSubnet();
  const gateway = chosen?.gateway ?? (needsGateway(body.Internal ?? false, links) ? subnet.address + 1 : 0);
  const bridge: BridgeConfig = {
    ...links,
    subnet,
    gateway,
    ...(chosen?.range === undefined ? {} : { range: chosen.range }),
    reserved: chosen?.reserved ?? [],
  };
  return {
    id,
    name: body.Name,
    driver: isParentDriver(driver) ? driver : "bridge",
    created: new Date().toISOString(),
    ipam: {
      Driver: body.IPAM?.Driver || "default",
      Options: body.IPAM?.Options ?? {},
      Config: [{ ...config, Subnet: formatPrefix(subnet), ...(gateway !== 0 && { Gateway: formatIpv4(gateway) }) }],
    },
    chosenSubnet: chosen !== undefined,
    internal: body.Internal ?? false,
    attachable: body.Attachable ?? false,
    options,
    labels: { ...body.Labels },
    bridge,
  };
}

type LinkConfig = Omit<BridgeConfig, "subnet" | "gateway" | "range" | "reserved">;

function refuseUnsupported(body: NetworkCreateBody): void {
  const driver = body.Driver || "bridge";
  if (body.Name.trim() === "") throw new EngineError("invalid", `invalid network name: "${body.Name}"`);
  if (PREDEFINED.includes(body.Name)) {
    throw new EngineError("forbidden", `operation is not permitted on predefined ${body.Name} network `);
  }
  if (driver === "host" || driver === "null") {
    throw new EngineError("forbidden", `only one instance of "${driver}" network is allowed`);
  }
  if (driver !== "bridge" && !isParentDriver(driver)) throw noPlugin(driver);
  const ipamDriver = body.IPAM?.Driver || "default";
  if (ipamDriver !== "default") throw noPlugin(ipamDriver);
  if (body.Scope !== undefined && body.Scope !== "" && body.Scope !== "local") {
    throw new EngineError("not-implemented", `networks of scope ${body.Scope} are not supported`);
  }
  if (body.Ingress) throw new EngineError("not-implemented", "ingress networks are not supported: there is no swarm");
  if (body.ConfigOnly || body.ConfigFrom?.Network) {
    throw new EngineError("not-implemented", "configuration-only networks are not supported");
  }
  if (body.EnableIPv6 || body.Options?.[OPTION.ipv6] === "true") {
    throw new EngineError("not-implemented", "IPv6 networks are not supported: create the network without IPv6");
  }
  if (body.EnableIPv4 === false || body.Options?.[OPTION.ipv4] === "false") {
    throw new EngineError("invalid", "IPv4 or IPv6 must be enabled");
  }
}

function noPlugin(name: string): EngineError {
  return new EngineError("not-found", `could not find plugin ${name} in v1 plugin registry: plugin not found`);
}

/** Undefined where no subnet is named. All faults are reported together, as Docker does. */
function chosenSubnet(
  config: IpamConfig,
): { subnet: Ipv4Prefix; gateway?: number; range?: Ipv4Prefix; reserved: number[] } | undefined {
  const { Subnet = "", Gateway = "", IPRange = "", AuxiliaryAddresses } = config;
  if (Subnet === "") {
    if (Gateway === "" && IPRange === "") return undefined;
    throw new EngineError("invalid", "invalid network config:\ninvalid subnet : invalid CIDR block notation");
  }
  const subnet = parsePrefix(Subnet);
  const faults: string[] = [];
  if (subnet === undefined) {
    const why = Subnet.includes(":") ? "IPv6 subnets are not supported" : "invalid CIDR block notation";
    throw new EngineError("invalid", `invalid network config:\ninvalid subnet ${Subnet}: ${why}`);
  }
  const masked = networkOf(subnet);
  if (masked.address !== subnet.address) faults.push(`invalid subnet ${Subnet}: it should be ${formatPrefix(masked)}`);
  if (subnet.prefix > 30) faults.push(`invalid subnet ${Subnet}: it has no room for a container`);
  const range = parsePrefix(IPRange);
  if (IPRange !== "" && range === undefined) faults.push(`invalid ip-range ${IPRange}: invalid CIDR block notation`);
  if (range !== undefined) faults.push(...rangeFaults(range, subnet));
  const address = (text: string, what: string): number => {
    const found = parseIpv4(text);
    if (found === undefined) faults.push(`invalid ${what}: invalid address`);
    else if (!contains(subnet, found))
      faults.push(`invalid ${what}: parent subnet ${Subnet} doesn't contain this address`);
    return found ?? 0;
  };
  const gateway = Gateway === "" ? undefined : address(Gateway, `gateway ${Gateway}`);
  const reserved = Object.entries(AuxiliaryAddresses ?? {}).map(([name, text]) =>
    address(text, `auxiliary address ${name}`),
  );
  if (faults.length > 0) throw new EngineError("invalid", `invalid network config:\n${faults.join("\n")}`);
  return { subnet, reserved, ...(gateway === undefined ? {} : { gateway }), ...(range === undefined ? {} : { range }) };
}

function rangeFaults(range: Ipv4Prefix, subnet: Ipv4Prefix): string[] {
  const text = formatPrefix(range);
  const faults: string[] = [];
  if (range.prefix < subnet.prefix) {
    faults.push(`invalid ip-range ${text}: CIDR block is bigger than its parent subnet ${formatPrefix(subnet)}`);
  }
  const masked = networkOf(range);
  if (masked.address !== range.address) faults.push(`invalid ip-range ${text}: it should be ${formatPrefix(masked)}`);
  if (!overlap(range, subnet)) {
    faults.push(`invalid ip-range ${text}: parent subnet ${formatPrefix(subnet)} doesn't contain ip-range`);
  }
  return faults;
}

/** Reads the driver's options; other keys are the user's own and only kept. */
function bridgeOptions(options: Readonly<Record<string, string>>, id: string): LinkConfig {
  refuseUnknown(options, Object.values(OPTION));
  const mode = options[OPTION.gatewayMode] ?? "";
  if (mode !== "" && mode !== "nat") {
    throw new EngineError("not-implemented", `the gateway mode ${mode} is not supported: only nat is`);
  }
  const device = options[OPTION.name] || bridgeDevice(id);
  if (!isDeviceName(device)) throw new EngineError("invalid", `invalid bridge name "${device}"`);
  const hostBinding = parseIpv4(options[OPTION.hostBinding] || "0.0.0.0");
  if (hostBinding === undefined)
    throw new EngineError("invalid", `invalid host binding address "${options[OPTION.hostBinding]}"`);
  return {
    device,
    hostBinding,
    ...interfaceOptions(options),
    connected: flag(options, OPTION.connected),
    masquerade: flag(options, OPTION.masquerade),
  };
}

/** Whether a parent is ours to make is not known here. */
function parentLinks(driver: ParentDriver, options: Readonly<Record<string, string>>, id: string): LinkConfig {
  refuseUnknown(options, [OPTION.mtu, OPTION.prefix, OPTION.ipv4, OPTION.ipv6]);
  const { device, child } = parentOptions(driver, options);
  return {
    device: device || dummyDevice(driver, id),
    parent: { child, ...(device === "" && { made: "dummy" as const }) },
    ...interfaceOptions(options),
    connected: true,
    masquerade: false,
    hostBinding: 0,
  };
}

function interfaceOptions(options: Readonly<Record<string, string>>): Pick<BridgeConfig, "mtu" | "interfacePrefix"> {
  const interfacePrefix = options[OPTION.prefix] || "eth";
  if (!isDeviceName(`${interfacePrefix}0`))
    throw new EngineError("invalid", `invalid interface prefix "${interfacePrefix}"`);
  const mtu = Number(options[OPTION.mtu] ?? 0);
  if (!Number.isInteger(mtu) || mtu < 0 || (mtu !== 0 && mtu < 68) || mtu > 65535) {
    throw new EngineError("invalid", `invalid MTU "${options[OPTION.mtu]}"`);
  }
  return { mtu, interfacePrefix };
}

function refuseUnknown(options: Readonly<Record<string, string>>, known: readonly string[]): void {
  const unknown = Object.keys(options).find((key) => key.startsWith("com.docker.network.") && !known.includes(key));
  if (unknown !== undefined) throw new EngineError("not-implemented", `the network option ${unknown} is not supported`);
}

/** On unless it says otherwise. */
function flag(options: Readonly<Record<string, string>>, key: string): boolean {
  const text = options[key];
  if (text === undefined || text === "" || /^(1|t|true)$/i.test(text)) return true;
  if (/^(0|f|false)$/i.test(text)) return false;
  throw new EngineError("invalid", `invalid value "${text}" of the network option ${key}`);
}
