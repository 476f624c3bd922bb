/** Which networks a container is configured for, whatever it runs with. */
import type { EndpointSettings } from "#api/types/network.ts";
import type { ContainerRecord } from "./record.ts";

/** Names or ids, that of the network mode first; none where the network is another container's. */
export function configuredNetworks({ hostConfig, networkingConfig, leftMain }: ContainerRecord): string[] {
  if (hostConfig.NetworkMode.startsWith("container:")) return [];
  const main = leftMain === true ? [] : [hostConfig.NetworkMode];
  return [...new Set([...main, ...Object.keys(networkingConfig.EndpointsConfig ?? {})])];
}

/** The record with one more network. */
export function withNetwork(
  record: ContainerRecord,
  name: string,
  settings: Partial<EndpointSettings>,
): ContainerRecord {
  const EndpointsConfig = { ...record.networkingConfig.EndpointsConfig, [name]: settings };
  const leftMain = record.leftMain === true && record.hostConfig.NetworkMode !== name;
  return { ...record, leftMain, networkingConfig: { ...record.networkingConfig, EndpointsConfig } };
}

/** The record without the network that has these names; undefined where it is not there. The network mode stays, as in Docker. */
export function withoutNetwork(record: ContainerRecord, names: readonly string[]): ContainerRecord | undefined {
  if (!configuredNetworks(record).some((name) => names.includes(name))) return undefined;
  const EndpointsConfig = { ...record.networkingConfig.EndpointsConfig };
  for (const name of names) delete EndpointsConfig[name];
  const leftMain = record.leftMain === true || names.includes(record.hostConfig.NetworkMode);
  return { ...record, leftMain, networkingConfig: { ...record.networkingConfig, EndpointsConfig } };
}
