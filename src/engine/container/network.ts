/** Between a container's record and its network: the request for a sandbox, and what inspect shows of it. */
import type { PortMap } from "#api/types/container-config.ts";
import type { NetworkSettings, Port } from "#api/types/container.ts";
import type { EndpointSettings } from "#api/types/network.ts";
import type { Endpoint, SandboxRequest } from "#engine/network/types.ts";
import { configuredNetworks } from "./configured-networks.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import type { ContainerRecord } from "./record.ts";

export function sandboxRequest(record: ContainerRecord): SandboxRequest {
  const { id, name, config, hostConfig, networkingConfig } = record;
  return {
    containerId: id,
    name,
    hostname: config.Hostname,
    domainname: config.Domainname,
    mode: config.NetworkDisabled === true ? "none" : hostConfig.NetworkMode,
    ...(record.leftMain === true && { leftMain: true }),
    endpoints: endpointsOf(networkingConfig.EndpointsConfig),
    ...(config.MacAddress && { macAddress: config.MacAddress }),
    ports: hostConfig.PortBindings ?? {},
    exposedPorts: Object.keys(config.ExposedPorts ?? {}),
    publishAll: hostConfig.PublishAllPorts,
    links: hostConfig.Links ?? [],
    // Absent lists take the daemon's own settings.
    ...(hostConfig.Dns?.length && { dns: hostConfig.Dns }),
    ...(hostConfig.DnsSearch?.length && { dnsSearch: hostConfig.DnsSearch }),
    ...(hostConfig.DnsOptions?.length && { dnsOptions: hostConfig.DnsOptions }),
    extraHosts: hostConfig.ExtraHosts ?? [],
  };
}

function endpointsOf(
  settings: Record<string, Partial<EndpointSettings> | null> | null,
): Record<string, Partial<EndpointSettings>> {
  return Object.fromEntries(Object.entries(settings ?? {}).map(([network, endpoint]) => [network, endpoint ?? {}]));
}

/** Addresses are empty while the container does not run. */
export function networkSettings(context: EngineContext, { record }: Container): NetworkSettings {
  const sandbox = context.networks.sandbox(record.id);
  const configured = endpointsOf(record.networkingConfig.EndpointsConfig);
  const mode = record.hostConfig.NetworkMode;
  const networks: Record<string, EndpointSettings> = {};
  if (!mode.startsWith("container:")) {
    for (const name of configuredNetworks(record)) {
      const empty = emptyEndpoint(context, name);
      networks[name] = { ...empty, ...definedFields(configured[name] ?? {}), NetworkID: empty.NetworkID };
    }
  }
  for (const endpoint of sandbox?.endpoints ?? []) {
    const before =
      networks[endpoint.networkName] ?? networks[endpoint.networkId] ?? emptyEndpoint(context, endpoint.networkName);
    delete networks[endpoint.networkId];
    networks[endpoint.networkName] = { ...before, ...liveEndpoint(endpoint) };
  }
  const main = networks["bridge"];
  return {
    Bridge: "",
    SandboxID: sandbox?.sandboxId ?? "",
    // One that shares another's names none of its own.
    SandboxKey: mode.startsWith("container:") ? "" : (sandbox?.netnsPath ?? ""),
    Ports: sandbox?.ports ?? {},
    HairpinMode: false,
    LinkLocalIPv6Address: "",
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: main?.EndpointID ?? "",
    Gateway: main?.Gateway ?? "",
    GlobalIPv6Address: main?.GlobalIPv6Address ?? "",
    GlobalIPv6PrefixLen: main?.GlobalIPv6PrefixLen ?? 0,
    IPAddress: main?.IPAddress ?? "",
    IPPrefixLen: main?.IPPrefixLen ?? 0,
    IPv6Gateway: main?.IPv6Gateway ?? "",
    MacAddress: main?.MacAddress ?? "",
    Networks: networks,
  };
}

/** Ports as the list of containers has them: published ones with their host side, exposed ones without. */
export function summaryPorts(context: EngineContext, { record }: Container): Port[] {
  const ports: PortMap = context.networks.sandbox(record.id)?.ports ?? {};
  return Object.entries(ports).flatMap(([port, bindings]): Port[] => {
    const [number = "0", Type = "tcp"] = port.split("/");
    const PrivatePort = Number(number);
    if (bindings === null || bindings.length === 0) return [{ PrivatePort, Type }];
    return bindings.map(({ HostIp, HostPort }) => ({
      IP: HostIp,
      PrivatePort,
      ...(HostPort !== "" && { PublicPort: Number(HostPort) }),
      Type,
    }));
  });
}

function liveEndpoint(endpoint: Endpoint): Partial<EndpointSettings> {
  return {
    NetworkID: endpoint.networkId,
    EndpointID: endpoint.endpointId,
    Gateway: endpoint.gateway,
    IPAddress: endpoint.ipAddress,
    IPPrefixLen: endpoint.prefixLength,
    IPv6Gateway: endpoint.ipv6Gateway,
    GlobalIPv6Address: endpoint.ipv6Address,
    GlobalIPv6PrefixLen: endpoint.ipv6PrefixLength,
    MacAddress: endpoint.macAddress,
    DNSNames: endpoint.networkName === "bridge" ? null : endpoint.dnsNames,
  };
}

function emptyEndpoint(context: EngineContext, network: string): EndpointSettings {
  return {
    IPAMConfig: null,
    Links: null,
    Aliases: null,
    MacAddress: "",
    DriverOpts: null,
    GwPriority: 0,
    NetworkID: networkId(context, network),
    EndpointID: "",
    Gateway: "",
    IPAddress: "",
    IPPrefixLen: 0,
    IPv6Gateway: "",
    GlobalIPv6Address: "",
    GlobalIPv6PrefixLen: 0,
    DNSNames: null,
  };
}

function networkId(context: EngineContext, network: string): string {
  try {
    return context.networks.inspect(network).Id;
  } catch {
    // Removed meanwhile: the name is all there is to show.
    return "";
  }
}

function definedFields(settings: Partial<EndpointSettings>): Partial<EndpointSettings> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined && value !== null));
}
