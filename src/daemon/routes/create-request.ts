/** Makes a create request of any API version one of the newest: defaults and fields meant something else before. */
import type { ContainerCreateRequest, Mount } from "#api/types/container-config.ts";
import type { EndpointSettings } from "#api/types/network.ts";
import { EngineError } from "#lib/errors.ts";
import { compareVersions } from "../api.ts";

/** Changes `request`. Returns warnings for the client. Throws "invalid" in Docker's words. */
export function adaptCreateRequest(
  request: ContainerCreateRequest,
  version: string,
  unifiedCgroups: boolean,
): string[] {
  const before = (other: string): boolean => compareVersions(version, other) < 0;
  const { Config, HostConfig, NetworkingConfig } = request;
  const endpoints = (NetworkingConfig.EndpointsConfig ??= {});
  if (HostConfig.NetworkMode === "" || HostConfig.NetworkMode === "default") {
    HostConfig.NetworkMode = "bridge";
    const named = endpoints["default"];
    delete endpoints["default"];
    if (named !== undefined) endpoints["bridge"] ??= named;
  }
  if (before("1.25")) HostConfig.AutoRemove = false;
  if (before("1.40")) {
    delete HostConfig.KernelMemoryTCP;
    HostConfig.IpcMode ||= "shareable";
  }
  if (before("1.41") && !unifiedCgroups) HostConfig.CgroupnsMode ||= "host";
  if (before("1.42")) HostConfig.ConsoleSize = [0, 0];
  // Since then it is the kernel that ignores it.
  else delete HostConfig.KernelMemory;
  if (before("1.43")) delete HostConfig.Annotations;
  if (before("1.44")) {
    if (Config.Healthcheck) delete Config.Healthcheck.StartInterval;
    const names = Object.keys(endpoints);
    if (names.length > 1) {
      throw new EngineError(
        "invalid",
        `Container cannot be created with multiple network endpoints: ${names.join(", ")}`,
      );
    }
  }
  for (const endpoint of Object.values(endpoints)) {
    if (endpoint !== null && before("1.48")) delete endpoint.GwPriority;
  }
  for (const mount of HostConfig.Mounts ?? []) adaptMount(mount, before);
  // 0 and below are no limit.
  if (HostConfig.PidsLimit !== null && HostConfig.PidsLimit <= 0) HostConfig.PidsLimit = null;
  HostConfig.RestartPolicy.Name ||= "no";
  const warnings = adaptMacAddress(request, before("1.44"));
  if (HostConfig.VolumeDriver !== "" && !before("1.48") && HostConfig.Mounts?.some(isAmbiguousVolume)) {
    warnings.push(
      "WARNING: the container-wide volume-driver configuration is ignored for volumes specified via 'mount'. " +
        "Use '--mount type=volume,volume-driver=...' instead",
    );
  }
  return warnings;
}

function adaptMount(mount: Mount, before: (version: string) => boolean): void {
  const refuse = (condition: boolean, message: string): void => {
    if (condition) throw new EngineError("invalid", message);
  };
  const { BindOptions: bind } = mount;
  if (bind && before("1.40")) bind.NonRecursive = false;
  if (bind && before("1.42")) bind.CreateMountpoint = false;
  const owners = { VolumeOptions: "volume", BindOptions: "bind", TmpfsOptions: "tmpfs" } as const;
  for (const [key, type] of Object.entries(owners) as [keyof typeof owners, Mount["Type"]][]) {
    if (!mount[key] || (mount.Type ?? "volume") === type) continue;
    refuse(!before("1.42"), `${key} must not be specified on mount type ${JSON.stringify(mount.Type)}`);
    if (key !== "BindOptions") delete mount[key];
  }
  if (mount.Type === "bind" && before("1.44")) {
    refuse(bind?.ReadOnlyForceRecursive === true, "BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer");
    // Read-only covered the mount alone, not what is mounted below it.
    mount.BindOptions = { ...bind, ReadOnlyNonRecursive: true };
  }
  refuse(Boolean(mount.VolumeOptions?.Subpath) && before("1.45"), "VolumeOptions.Subpath needs API v1.45 or newer");
  refuse(mount.Type === "image" && before("1.48"), 'Mount type "Image" needs API v1.48 or newer');
}

function isAmbiguousVolume({ Type, VolumeOptions }: Mount): boolean {
  return Type === "volume" && !VolumeOptions?.DriverConfig?.Name;
}

/** The container-wide address moved into the settings of the main network with 1.44. */
function adaptMacAddress({ Config, HostConfig, NetworkingConfig }: ContainerCreateRequest, old: boolean): string[] {
  const endpoints = (NetworkingConfig.EndpointsConfig ??= {});
  const address = Config.MacAddress ?? "";
  if (address === "") {
    if (old) for (const endpoint of Object.values(endpoints)) if (endpoint !== null) delete endpoint.MacAddress;
    return [];
  }
  const mode = HostConfig.NetworkMode;
  if (mode === "host" || mode === "none" || mode.startsWith("container:")) {
    if (old) throw new EngineError("invalid", "conflicting options: mac-address and the network mode");
  } else {
    const endpoint = mainEndpoint(endpoints, mode, old);
    if (!old && endpoint.MacAddress && endpoint.MacAddress !== address) {
      throw new EngineError(
        "invalid",
        "the container-wide MAC address must match the endpoint-specific MAC address for the main network, " +
          "or be left empty",
      );
    }
    endpoint.MacAddress = address;
  }
  delete Config.MacAddress;
  return old
    ? []
    : ["The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead."];
}

function mainEndpoint(
  endpoints: Record<string, Partial<EndpointSettings> | null>,
  mode: string,
  old: boolean,
): Partial<EndpointSettings> {
  const names = Object.keys(endpoints);
  const name = old ? (names[0] ?? mode) : mode;
  if (names.length > 0 && !names.includes(name)) {
    throw new EngineError(
      "invalid",
      "unable to migrate container-wide MAC address to a specific network: " +
        "HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks",
    );
  }
  return (endpoints[name] ??= {});
}
