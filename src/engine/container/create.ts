/** Makes a container: everything that can be refused is refused here, everything slow is left to the start. */
import { hostname } from "node:os";
import type {
  ContainerConfig,
  ContainerCreateRequest,
  ContainerCreateResponse,
  HostConfig,
} from "#api/types/container-config.ts";
import type { Platform } from "#api/types/system.ts";
import { wireConfig } from "#engine/image/inspect.ts";
import { Console } from "#engine/runtime/console.ts";
import { hostPlatform, platformRank } from "#oci/platform.ts";
import { mergeImageConfig } from "#engine/spec/image-config.ts";
import { validateContainer } from "#engine/spec/validate.ts";
import { resolveMounts } from "#engine/volume/resolve.ts";
import { EngineError } from "#lib/errors.ts";
import { formatTime, now } from "#lib/time.ts";
import { Container } from "./container.ts";
import { announce, type EngineContext } from "./context.ts";
import { applyDefaults } from "./defaults.ts";
import { takeLinks } from "./links.ts";
import { checkLogConfig } from "./log-options.ts";
import { checkHealthRestart } from "./unhealthy.ts";
import { viewImages } from "./image-mounts.ts";
import { checkName, inventName } from "./names.ts";
import { sandboxRequest } from "./network.ts";
import { type ContainerRecord, initialState } from "./record.ts";
import { parseSignal } from "./signals.ts";
import { assignIds, checkUserNamespace } from "./users.ts";

export async function createContainer(
  context: EngineContext,
  requestedName: string,
  request: ContainerCreateRequest,
  platform: Platform | undefined,
): Promise<ContainerCreateResponse> {
  const { containers, images, snapshots, volumes, networks, layout } = context;
  const name =
    requestedName === "" ? inventName((taken) => containers.find(taken) !== undefined) : checkName(requestedName);
  containers.assertNameFree(name);

  if (request.Config.Image === "") {
    throw new EngineError("invalid", "config cannot be empty in order to create a container");
  }
  const image = images.resolve(request.Config.Image);
  const warnings = checkPlatform(request.Config.Image, image.config, platform);
  const config = mergeImageConfig(request.Config, wireConfig(image.config.config));
  const hostConfig = structuredClone(request.HostConfig);
  const id = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");

  if (config.StopSignal) parseSignal(config.StopSignal);
  warnings.push(...checkHealthRestart(config, hostConfig));
  const log = checkLogConfig(hostConfig.LogConfig, context.tuning().defaults.log);
  hostConfig.LogConfig = log.logConfig;
  warnings.push(...log.warnings);
  applyDefaults(hostConfig, context.tuning().defaults);
  hostConfig.Runtime ||= context.runtimes.default;
  context.runtimes.get(hostConfig.Runtime);
  if (hostConfig.NetworkMode === "" || hostConfig.NetworkMode === "default") hostConfig.NetworkMode = "bridge";
  warnings.push(...validateContainer(config, hostConfig, context.host));
  if (hostConfig.NetworkMode.startsWith("container:") && Object.keys(request.Config.ExposedPorts ?? {}).length > 0) {
    throw new EngineError("invalid", "conflicting options: port exposing and the container type network mode");
  }
  const links = takeLinks(containers, hostConfig);
  for (const mode of ["NetworkMode", "IpcMode", "PidMode"] as const) {
    const other = /^container:(.+)$/.exec(hostConfig[mode])?.[1];
    if (other !== undefined) hostConfig[mode] = `container:${referred(() => containers.get(other)).id}`;
  }
  checkUserNamespace(context, hostConfig);
  fillHostname(containers, id, config, hostConfig);
  const mounts = resolveMounts({
    hostConfig,
    volumes: config.Volumes,
    mountsOf: (other) => referred(() => containers.get(other)).record.mounts,
    volumePath: (volume) => layout.volumeData(volume),
    imageOf: (reference) => referred(() => images.resolve(reference)),
  });

  const record: ContainerRecord = {
    id,
    name,
    created: formatTime(now()),
    imageId: image.id,
    chain: [...image.chain],
    platform: image.config.os ?? "linux",
    config,
    hostConfig,
    networkingConfig: request.NetworkingConfig,
    mounts,
    ...(links.length > 0 && { links }),
  };
  referred(() => networks.validate(sandboxRequest(record)));
  await using undo = new AsyncDisposableStack();
  await snapshots.prepare(id, record.chain);
  undo.defer(() => snapshots.remove(id));
  undo.defer(await viewImages(context, id, mounts));
  volumes.acquire(id, mounts);
  undo.defer(() => volumes.release(id, true));
  const container = new Container(record, initialState(), newConsole(record));
  assignIds(context, container);
  containers.add(container);
  undo.move();
  announce(context, container, "create");
  return { Id: id, Warnings: warnings };
}

/** Looks up what a request refers to. Its absence is no "not-found": clients take that for the image's, and pull it. */
function referred<T>(look: () => T): T {
  try {
    return look();
  } catch (cause) {
    if (cause instanceof EngineError && cause.kind === "not-found") {
      throw new EngineError("invalid", cause.message, { cause });
    }
    throw cause;
  }
}

/** Who shares a network has the host name that is known there. */
function fillHostname(
  containers: EngineContext["containers"],
  id: string,
  config: ContainerConfig,
  { NetworkMode, UTSMode }: HostConfig,
): void {
  if (NetworkMode.startsWith("container:")) {
    const other = containers.get(NetworkMode.slice("container:".length)).record.config;
    config.Hostname = other.Hostname;
    config.Domainname = other.Domainname;
  } else if (config.Hostname === "") {
    config.Hostname = NetworkMode === "host" || UTSMode === "host" ? hostname() : id.slice(0, 12);
  }
}

export function newConsole({ config }: ContainerRecord): Console {
  return new Console({ tty: config.Tty, stdin: config.OpenStdin, stdinOnce: config.StdinOnce });
}

function checkPlatform(
  name: string,
  image: { os?: string; architecture?: string },
  wanted: Platform | undefined,
): string[] {
  const have = { os: image.os ?? "linux", architecture: image.architecture ?? "" };
  const fits = (platform: Platform): boolean => have.architecture === "" || platformRank(platform, have) !== undefined;
  const words = ({ os, architecture }: Platform): string => `${os}/${architecture}`;
  if (wanted === undefined) {
    const host: Platform = { os: hostPlatform().os, architecture: hostPlatform().architecture };
    if (fits(host)) return [];
    return [
      `The requested image's platform (${words(have)}) does not match the detected host platform (${words(host)}) ` +
        "and no specific platform was requested",
    ];
  }
  if (fits(wanted)) return [];
  throw new EngineError(
    "not-found",
    `image with reference ${name} was found but its platform (${words(have)}) does not match the specified platform ` +
      `(${words(wanted)})`,
  );
}
