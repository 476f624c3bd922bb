/** Shows a container as the Engine API does. */
import { join } from "node:path";
import type { ContainerInspect, ContainerState, ContainerSummary } from "#api/types/container.ts";
import { containerConfigFields, hostConfigFields } from "#api/schemas/container.ts";
import { appArmorProfileOf } from "#engine/spec/build.ts";
import { toMountPoint } from "#engine/volume/mount.ts";
import { now } from "#lib/time.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { linkTexts } from "./links.ts";
import { networkSettings, summaryPorts } from "./network.ts";
import { isRunning } from "./record.ts";
import { describeState } from "./status.ts";

function inspectState({ state }: Container): ContainerState {
  return {
    Status: state.status,
    Running: isRunning(state) || state.status === "restarting",
    Paused: state.status === "paused",
    Restarting: state.status === "restarting",
    OOMKilled: state.oomKilled,
    Dead: state.status === "dead",
    Pid: state.pid,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: state.startedAt,
    FinishedAt: state.finishedAt,
    ...(state.health && { Health: state.health }),
  };
}

/** Sizes (bytes) cost a walk through the container's files and are made only on request. */
export async function inspectContainer(
  context: EngineContext,
  container: Container,
  size: boolean,
): Promise<ContainerInspect> {
  const { record, state } = container;
  const { config, hostConfig, id } = record;
  const [path, args] = commandOf(container);
  const folder = context.layout.container(id);
  return {
    Id: id,
    Created: record.created,
    Path: path,
    Args: args,
    State: inspectState(container),
    Image: record.imageId,
    ResolvConfPath: join(folder, "resolv.conf"),
    HostnamePath: join(folder, "hostname"),
    HostsPath: join(folder, "hosts"),
    LogPath: hostConfig.LogConfig.Type === "json-file" ? context.layout.containerLog(id) : "",
    Name: `/${record.name}`,
    RestartCount: state.restartCount,
    Driver: "overlay2",
    Platform: record.platform,
    MountLabel: "",
    ProcessLabel: "",
    AppArmorProfile: appArmorProfileOf(context.host, hostConfig),
    ExecIDs: container.execIds.size === 0 ? null : [...container.execIds],
    HostConfig: ordered(
      { ...hostConfig, Links: hostConfig.Links ?? linkTexts(context.containers, container.record) },
      hostConfigFields,
    ),
    GraphDriver: { Name: "overlay2", Data: await graphData(context, id) },
    ...(size && (await sizes(context, container))),
    Mounts: record.mounts.filter((mount) => mount.listed).map(toMountPoint),
    Config: ordered({ ...config, ...macAddressOf(container) }, containerConfigFields),
    NetworkSettings: networkSettings(context, container),
  };
}

/** `names` are those of links, by id. */
export async function summarize(
  context: EngineContext,
  container: Container,
  size: boolean,
  names: ReadonlyMap<string, readonly string[]>,
): Promise<ContainerSummary> {
  const { record, state } = container;
  const [path, args] = commandOf(container);
  return {
    Id: record.id,
    Names: [`/${record.name}`, ...(names.get(record.id) ?? [])],
    Image: context.images.find(record.config.Image)?.id === record.imageId ? record.config.Image : record.imageId,
    ImageID: record.imageId,
    Command: [path, ...args.map(quoteArgument)].join(" "),
    Created: Math.floor(Date.parse(record.created) / 1000),
    Ports: summaryPorts(context, container),
    ...(size && (await nonZeroSizes(context, container))),
    Labels: record.config.Labels,
    State: state.status,
    Status: describeState(state, now()),
    HostConfig: {
      NetworkMode: record.hostConfig.NetworkMode,
      ...(record.hostConfig.Annotations && { Annotations: record.hostConfig.Annotations }),
    },
    NetworkSettings: { Networks: networkSettings(context, container).Networks },
    Mounts: record.mounts.filter((mount) => mount.listed).map(toMountPoint),
  };
}

/** Docker's order: `docker inspect` shows the fields as they come. Records of the past hold them in any. */
function ordered<T extends object>(value: T, fields: readonly (keyof T)[]): T {
  const known = fields.filter((field) => Object.hasOwn(value, field)).map((field) => [field, value[field]]);
  return { ...(Object.fromEntries(known) as Partial<T>), ...value };
}

/** The address that was asked for, also where clients of API 1.43 and older look for it. */
function macAddressOf({ record }: Container): { MacAddress?: string } {
  const address = record.networkingConfig.EndpointsConfig?.[record.hostConfig.NetworkMode]?.MacAddress;
  return address ? { MacAddress: address } : {};
}

function commandOf({ record }: Container): [string, string[]] {
  const [path = "", ...args] = [...(record.config.Entrypoint ?? []), ...(record.config.Cmd ?? [])];
  return [path, args];
}

function quoteArgument(argument: string): string {
  return argument.includes(" ") ? `'${argument}'` : argument;
}

async function sizes(context: EngineContext, { record }: Container): Promise<{ SizeRw: number; SizeRootFs: number }> {
  const { bytes } = await context.snapshots.usage(record.id);
  return { SizeRw: bytes, SizeRootFs: bytes + context.images.sizeOf(record.chain) };
}

/** In lists, Docker leaves a size of nothing out. */
async function nonZeroSizes(
  context: EngineContext,
  container: Container,
): Promise<{ SizeRw?: number; SizeRootFs?: number }> {
  const { SizeRw, SizeRootFs } = await sizes(context, container);
  return { ...(SizeRw !== 0 && { SizeRw }), ...(SizeRootFs !== 0 && { SizeRootFs }) };
}

async function graphData(context: EngineContext, id: string): Promise<Record<string, string>> {
  const mount = await context.snapshots.mounts(id);
  if (mount.type === "bind") return { MergedDir: context.layout.rootfs(id) };
  return {
    ID: id,
    LowerDir: mount.lower.join(":"),
    MergedDir: context.layout.rootfs(id),
    UpperDir: mount.upper ?? "",
    WorkDir: mount.work ?? "",
  };
}
