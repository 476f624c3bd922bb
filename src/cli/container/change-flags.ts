/** The options of `update` that give a running container something or take it away, and the request they make. */
import type { ContainerChanges, ListChange, PortSelector } from "#api/types/change.ts";
import type { Values } from "../flags.ts";
import { bool, collect, list } from "../kinds.ts";
import { parseMount, parseVolume } from "./mount-spec.ts";
import { checkAddress, endpoint, parseNetwork } from "./network-spec.ts";
import { checkEnv, checkExtraHost, checkLabel, checkSearchDomain, labelMap } from "./option-checks.ts";
import { isAddress, parsePublish } from "./port-spec.ts";

/** Named as those of `docker service update`. */
export const changeFlags = {
  "dns-add": list("Add a custom DNS server", { check: checkAddress }),
  "dns-option-add": list("Add a DNS option"),
  "dns-option-rm": list("Remove a DNS option"),
  "dns-rm": list("Remove a custom DNS server"),
  "dns-search-add": list("Add a custom DNS search domain", { check: checkSearchDomain }),
  "dns-search-rm": list("Remove a DNS search domain"),
  "env-add": list("Add or change an environment variable, for commands executed from then on and the next start", {
    check: checkEnv,
  }),
  "env-rm": list("Remove an environment variable"),
  force: bool("Remove mounts even if they are in use"),
  "host-add": list("Add a custom host-to-IP mapping (host:ip)", { check: checkExtraHost }),
  "host-rm": list("Remove a custom host-to-IP mapping (host or host:ip)"),
  "label-add": list("Add or change a label", { check: checkLabel }),
  "label-rm": list("Remove a label by its key"),
  "mount-add": collect("mount", "Attach a filesystem mount to the container", parseMount),
  "mount-rm": list("Remove a bind mount, volume or tmpfs by its target path"),
  "network-add": collect("network", "Connect the container to a network", parseNetwork, { complete: "networks" }),
  "network-rm": list("Disconnect the container from a network", { complete: "networks" }),
  "publish-add": list("Publish a container's port(s) to the host"),
  "publish-rm": collect(
    "port",
    "Withdraw a published port ([ip:]hostPort[:containerPort][/protocol], or :containerPort)",
    parseWithdrawal,
  ),
  "volume-add": list("Bind mount a volume", { complete: "volumes" }),
};

/** Undefined where none of the options is given. Throws Docker's messages. */
export function changesOf(flags: Values<typeof changeFlags>): ContainerChanges | undefined {
  const binds = flags["volume-add"].map((spec) => {
    const volume = parseVolume(spec);
    return "bind" in volume ? volume.bind : volume.anonymous;
  });
  const changes: ContainerChanges = {
    ...named("PortBindings", parsePublish(flags["publish-add"]), flags["publish-rm"]),
    ...(binds.length > 0 && { Binds: { Add: binds } }),
    ...named("Networks", endpoints(flags["network-add"]), flags["network-rm"]),
    ...named("Labels", labelMap(flags["label-add"]), flags["label-rm"]),
    ...listed("Env", flags["env-add"], flags["env-rm"]),
    ...listed("ExtraHosts", flags["host-add"], flags["host-rm"]),
    ...listed("Dns", flags["dns-add"], flags["dns-rm"]),
    ...listed("DnsSearch", flags["dns-search-add"], flags["dns-search-rm"]),
    ...listed("DnsOptions", flags["dns-option-add"], flags["dns-option-rm"]),
  };
  const [add, remove] = [flags["mount-add"], flags["mount-rm"]];
  if (add.length + remove.length > 0) {
    changes.Mounts = { Add: [...add], Remove: [...remove], ...(flags.force && { Force: true }) };
  }
  return Object.keys(changes).length > 0 ? changes : undefined;
}

function named<K extends keyof ContainerChanges, A extends object, R>(
  key: K,
  Add: A,
  remove: readonly R[],
): Partial<Record<K, { Add: A; Remove: R[] }>> {
  if (Object.keys(Add).length + remove.length === 0) return {};
  return { [key]: { Add, Remove: [...remove] } } as Partial<Record<K, { Add: A; Remove: R[] }>>;
}

function listed<K extends string>(
  key: K,
  add: readonly string[],
  remove: readonly string[],
): Partial<Record<K, ListChange>> {
  if (add.length + remove.length === 0) return {};
  return { [key]: { Add: [...add], Remove: [...remove] } } as Partial<Record<K, ListChange>>;
}

function endpoints(networks: readonly ReturnType<typeof parseNetwork>[]) {
  return Object.fromEntries(networks.map((attachment) => [attachment.target, endpoint(attachment)]));
}

/** `8080`, `8080:80`, `127.0.0.1:8080`, `127.0.0.1:8080:80/udp`, `:80`. */
function parseWithdrawal(text: string): PortSelector {
  const [, ports = "", protocol = "tcp"] = /^([^/]*)(?:\/(\w+))?$/.exec(text) ?? [];
  const [first = "", second, third] = ports.split(":");
  const [HostIp, HostPort = "", containerPort = ""] = isAddress(first) ? [first, second, third] : ["", first, second];
  const isPort = (port: string): boolean => /^\d*$/.test(port);
  if (!isPort(HostPort) || !isPort(containerPort) || HostPort + containerPort === "") {
    throw new Error(`invalid published port: ${text}`);
  }
  return {
    ...(HostIp !== "" && { HostIp }),
    ...(HostPort !== "" && { HostPort }),
    ...(containerPort === "" ? { Protocol: protocol } : { Port: `${containerPort}/${protocol}` }),
  };
}
