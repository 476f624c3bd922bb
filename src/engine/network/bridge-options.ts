/** Reads the driver options of a bridge network (`com.docker.network.…`), with Docker's meaning. */
import { EngineError } from "#lib/errors.ts";
import { ANY, canonicalAddress, type IpFamily } from "#lib/ip.ts";
import { familyOfText } from "./families.ts";
import { bridgeDevice, isDeviceName } from "./names.ts";
import { dummyDevice, type ParentDriver, parentOptions } from "./parent-config.ts";
import type { BridgeConfig, BridgeSubnet, GatewayMode } from "./store.ts";

type Options = Readonly<Record<string, string>>;

const OPTION = {
  name: "com.docker.network.bridge.name",
  connected: "com.docker.network.bridge.enable_icc",
  masquerade: "com.docker.network.bridge.enable_ip_masquerade",
  hostBinding: "com.docker.network.bridge.host_binding_ipv4",
  gatewayMode4: "com.docker.network.bridge.gateway_mode_ipv4",
  gatewayMode6: "com.docker.network.bridge.gateway_mode_ipv6",
  inhibitIpv4: "com.docker.network.bridge.inhibit_ipv4",
  trusted: "com.docker.network.bridge.trusted_host_interfaces",
  mtu: "com.docker.network.driver.mtu",
  prefix: "com.docker.network.container_iface_prefix",
  ipv4: "com.docker.network.enable_ipv4",
  ipv6: "com.docker.network.enable_ipv6",
  source4: "com.docker.network.host_ipv4",
  source6: "com.docker.network.host_ipv6",
} as const;

/** Options of the predefined bridge, as Docker shows them. */
export function defaultBridgeOptions(bridge: BridgeConfig): Record<string, string> {
  const { device, connected, masquerade, hostBinding, mtu } = bridge;
  return {
    "com.docker.network.bridge.default_bridge": "true",
    [OPTION.connected]: String(connected),
    [OPTION.masquerade]: String(masquerade),
    [OPTION.hostBinding]: hostBinding,
    [OPTION.name]: device,
    [OPTION.mtu]: String(mtu || 1500),
  };
}

/** Which families a network has: what the body says, then its options, then IPv4 alone. Throws kind "invalid". */
export function familiesOf(
  body: { EnableIPv4?: boolean | null; EnableIPv6?: boolean | null },
  options: Options,
): Record<IpFamily, boolean> {
  const families = {
    4: body.EnableIPv4 ?? familyFlag(options, OPTION.ipv4) ?? true,
    6: body.EnableIPv6 ?? familyFlag(options, OPTION.ipv6) ?? false,
  };
  if (!families[4] && !families[6]) throw new EngineError("invalid", "IPv4 or IPv6 must be enabled");
  return families;
}

/** The options that are left to show: what the body says itself is no option. */
export function shownOptions(
  body: { EnableIPv4?: boolean | null; EnableIPv6?: boolean | null },
  options: Options,
): Record<string, string> {
  const shown = { ...options };
  if (typeof body.EnableIPv4 === "boolean") delete shown[OPTION.ipv4];
  if (typeof body.EnableIPv6 === "boolean") delete shown[OPTION.ipv6];
  return shown;
}

/** A network without its addresses. */
export type LinkConfig = Omit<BridgeConfig, "ipv4" | "ipv6">;

/** Reads all but the families; other keys are the user's own and only kept. Throws kinds "invalid", "not-implemented". */
export function bridgeOptions(options: Options, id: string): LinkConfig {
  refuseUnknown(options, Object.values(OPTION));
  const device = options[OPTION.name] || bridgeDevice(id);
  if (!isDeviceName(device)) throw new EngineError("invalid", `invalid bridge name "${device}"`);
  const trusted = (options[OPTION.trusted] ?? "").split(":").filter((name) => name !== "");
  const wrong = trusted.find((name) => !isDeviceName(name));
  if (wrong !== undefined) throw unparsed(OPTION.trusted, options[OPTION.trusted] ?? "", `no interface: ${wrong}`);
  return {
    device,
    ...interfaceOptions(options),
    hostBinding: address(options, OPTION.hostBinding) ?? ANY[4],
    connected: flag(options, OPTION.connected) ?? true,
    masquerade: flag(options, OPTION.masquerade) ?? true,
    ...(flag(options, OPTION.inhibitIpv4) === true && { withoutAddress: true }),
    ...(trusted.length > 0 && { trusted }),
  };
}

/** As `bridgeOptions`, for macvlan and ipvlan. Whether a parent is ours to make is not known here. */
export function parentLinkOptions(driver: ParentDriver, options: Options, id: string): LinkConfig {
  refuseUnknown(options, [OPTION.mtu, OPTION.prefix, OPTION.ipv4, OPTION.ipv6]);
  const { device, child } = parentOptions(driver, options);
  return {
    device: device || dummyDevice(driver, id),
    parent: { child, ...(device === "" && { made: "dummy" as const }) },
    ...interfaceOptions(options),
    connected: true,
    masquerade: false,
    hostBinding: ANY[4],
  };
}

/** How packets of one family leave. Throws kind "invalid". */
export function routing(options: Options, family: IpFamily, internal: boolean): Pick<BridgeSubnet, "mode" | "source"> {
  const key = family === 4 ? OPTION.gatewayMode4 : OPTION.gatewayMode6;
  const text = options[key] ?? "nat";
  const mode = MODES.find((one) => one === text);
  if (mode === undefined) throw unparsed(key, text, `unknown gateway mode ${text}`);
  if (mode === "isolated" && !internal) {
    throw new EngineError("invalid", "gateway mode 'isolated' can only be used for an internal network");
  }
  const sourceKey = family === 4 ? OPTION.source4 : OPTION.source6;
  const source = address(options, sourceKey);
  if (source !== undefined && familyOfText(source) !== family) {
    throw unparsed(sourceKey, options[sourceKey] ?? "", `it is no IPv${family} address`);
  }
  return { mode, ...(source !== undefined && { source }) };
}

function refuseUnknown(options: Options, known: readonly string[]): void {
  const unknown = Object.keys(options).find((key) => key.startsWith("com.docker.network.") && !known.includes(key));
  if (unknown !== undefined) throw new EngineError("not-implemented", `the network option ${unknown} is not supported`);
}

function interfaceOptions(options: Options): Pick<BridgeConfig, "mtu" | "interfacePrefix"> {
  const interfacePrefix = options[OPTION.prefix] || "eth";
  if (!isDeviceName(`${interfacePrefix}0`)) {
    throw new EngineError("invalid", `invalid interface prefix "${interfacePrefix}"`);
  }
  const mtu = Number(options[OPTION.mtu] ?? 0);
  if (!Number.isInteger(mtu) || mtu < 0 || (mtu !== 0 && mtu < 68) || mtu > 65535) {
    throw new EngineError("invalid", `invalid MTU "${options[OPTION.mtu]}"`);
  }
  return { mtu, interfacePrefix };
}

function address(options: Options, key: string): string | undefined {
  const text = options[key] ?? "";
  if (text === "") return undefined;
  const found = canonicalAddress(text);
  if (found === undefined) throw unparsed(key, text, "nil ip");
  return found;
}

/** Undefined where it is not given. */
function flag(options: Options, key: string): boolean | undefined {
  const text = options[key] ?? "";
  const value = text === "" ? undefined : parseFlag(text);
  if (text !== "" && value === undefined)
    throw unparsed(key, text, `strconv.ParseBool: parsing "${text}": invalid syntax`);
  return value;
}

function familyFlag(options: Options, key: string): boolean | undefined {
  const text = options[key];
  if (text === undefined) return undefined;
  const value = parseFlag(text);
  if (value === undefined) throw new EngineError("invalid", `driver-opt "${key}" is not a valid bool`);
  return value;
}

function parseFlag(text: string): boolean | undefined {
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
  return /^(0|f|F|false|FALSE|False)$/.test(text) ? false : undefined;
}

function unparsed(key: string, value: string, why: string): EngineError {
  return new EngineError("invalid", `failed to parse ${key} value: ${value} (${why})`);
}

const MODES = ["nat", "nat-unprotected", "routed", "isolated"] as const satisfies readonly GatewayMode[];
