/** Shows answers of today as older versions of the API had them. */
import type { ContainerInspect, ContainerSummary } from "#api/types/container.ts";
import type { ImageInspect, ImageSummary } from "#api/types/image.ts";
import type { DiskUsage, SystemInfo } from "#api/types/system.ts";
import { compareVersions } from "../api.ts";

/** Changes and answers `info`. */
export function infoOf(version: string, info: SystemInfo): object {
  const before = (other: string): boolean => compareVersions(version, other) < 0;
  const extra: Record<string, unknown> = {};
  if (before("1.25")) {
    info.SecurityOptions = info.SecurityOptions.map((option) => option.replace(/^name=/, "").replace(/,.*/, ""));
  }
  if (before("1.44")) for (const runtime of Object.values(info.Runtimes)) delete runtime.status;
  if (before("1.47")) {
    Object.assign(info.RegistryConfig, {
      AllowNondistributableArtifactsCIDRs: null,
      AllowNondistributableArtifactsHostnames: null,
    });
  }
  if (before("1.49")) {
    delete info.FirewallBackend;
    for (const commit of [info.ContainerdCommit, info.RuncCommit, info.InitCommit]) {
      Object.assign(commit, { Expected: commit.ID });
    }
  }
  if (before("1.50")) {
    delete info.DiscoveredDevices;
    Object.assign(extra, { BridgeNfIptables: false, BridgeNfIp6tables: false });
  }
  return { ...info, ...extra };
}

/** Changes and answers `container`. */
export function inspectOf(version: string, container: ContainerInspect): ContainerInspect {
  if (compareVersions(version, "1.45") < 0) {
    // Names that the network's DNS gives without anybody's wish were listed among those that were wished for.
    for (const [network, endpoint] of Object.entries(container.NetworkSettings.Networks)) {
      if (["bridge", "host", "none", "default"].includes(network)) continue;
      const own = [container.Id.slice(0, 12), container.Config.Hostname];
      endpoint.Aliases = [...new Set([...(endpoint.Aliases ?? []), ...own])];
    }
  }
  if (compareVersions(version, "1.48") < 0) delete container.ImageManifestDescriptor;
  return container;
}

/** Changes and answers `image`. */
export function imageOf(version: string, image: ImageInspect): object {
  const before = (other: string): boolean => compareVersions(version, other) < 0;
  if (before("1.48")) delete image.Descriptor;
  if (before("1.44")) image.Created ||= "0001-01-01T00:00:00Z";
  const config = { ...alwaysConfigured, ...(before("1.50") && containerConfig), ...image.Config };
  return {
    ...image,
    ...(before("1.44") && { VirtualSize: image.Size }),
    // Docker makes a Go map of it, which is written in order.
    Config: Object.fromEntries(Object.entries(config).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  };
}

const alwaysConfigured = {
  User: "",
  Env: null,
  Cmd: null,
  Volumes: null,
  WorkingDir: "",
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
};

/** Fields that belong to containers alone, and were never set. */
const containerConfig = {
  Hostname: "",
  Domainname: "",
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Image: "",
};

/** Changes and answers `list`. */
export function imagesOf(version: string, list: ImageSummary[]): object[] {
  const before = (other: string): boolean => compareVersions(version, other) < 0;
  return list.map((image) => {
    if (before("1.48")) delete image.Descriptor;
    const nameless = before("1.43") && !image.RepoTags?.length && !image.RepoDigests?.length;
    return {
      ...image,
      ...(nameless && { RepoTags: ["<none>:<none>"], RepoDigests: ["<none>@<none>"] }),
      ...(before("1.44") && { VirtualSize: image.Size }),
    };
  });
}

/** Changes and answers `list`. */
export function listOf(version: string, list: ContainerSummary[]): ContainerSummary[] {
  for (const container of list) {
    if (compareVersions(version, "1.46") < 0) delete container.HostConfig.Annotations;
    if (compareVersions(version, "1.48") < 0) delete container.ImageManifestDescriptor;
  }
  return list;
}

/** Changes and answers `usage`. */
export function diskUsageOf(version: string, usage: DiskUsage): object {
  return {
    ...usage,
    ...(usage.Images && { Images: imagesOf(version, usage.Images) }),
    ...(usage.Containers && { Containers: listOf(version, usage.Containers) }),
  };
}
