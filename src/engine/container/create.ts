/** Makes a container: everything that can be refused is refused here, everything slow is left to the start. */
import { hostname } from "node:os";
import type { ContainerCreateRequest, ContainerCreateResponse, LogConfig } from "#api/types/container.ts";
import type { Platform } from "#api/types/system.ts";
import { wireConfig } from "#engine/image/inspect.ts";
import { Console } from "#engine/runtime/console.ts";
import { mergeImageConfig } from "#engine/spec/image-config.ts";
import { validateContainer } from "#engine/spec/validate.ts";
import { resolveMounts } from "#engine/volume/resolve.ts";
import { EngineError } from "#lib/errors.ts";
import { formatTime, now } from "#lib/time.ts";
import { Container } from "./container.ts";
import { announce, type EngineContext } from "./context.ts";
import { checkName, inventName } from "./names.ts";
import { sandboxRequest } from "./network.ts";
import { type ContainerRecord, initialState } from "./record.ts";
import { parseSignal } from "./signals.ts";

const LOG_DRIVERS = ["", "json-file", "local", "none"];

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
  const warnings = assertPlatform(image.config, platform);
  const config = mergeImageConfig(request.Config, wireConfig(image.config.config));
  const hostConfig = structuredClone(request.HostConfig);
  const id = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");

  if (config.StopSignal) parseSignal(config.StopSignal);
  hostConfig.LogConfig = checkLogConfig(hostConfig.LogConfig);
  if (hostConfig.NetworkMode === "" || hostConfig.NetworkMode === "default") hostConfig.NetworkMode = "bridge";
  if (config.Hostname === "") {
    config.Hostname = hostConfig.NetworkMode === "host" || hostConfig.UTSMode === "host" ? hostname() : id.slice(0, 12);
  }
  warnings.push(...validateContainer(config, hostConfig, context.host));
  for (const mode of ["NetworkMode", "IpcMode", "PidMode"] as const) {
    const other = /^container:(.+)$/.exec(hostConfig[mode])?.[1];
    if (other !== undefined) hostConfig[mode] = `container:${containers.get(other).id}`;
  }
  const mounts = resolveMounts({
    hostConfig,
    volumes: config.Volumes,
    mountsOf: (other) => containers.get(other).record.mounts,
    volumePath: (volume) => layout.volumeData(volume),
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
  };
  networks.validate(sandboxRequest(record));
  await using undo = new AsyncDisposableStack();
  await snapshots.prepare(id, record.chain);
  undo.defer(() => snapshots.remove(id));
  volumes.acquire(id, mounts);
  undo.defer(() => void volumes.release(id, true));
  const container = new Container(record, initialState(), newConsole(record));
  containers.add(container);
  undo.move();
  announce(context, container, "create");
  return { Id: id, Warnings: warnings };
}

export function newConsole({ config }: ContainerRecord): Console {
  return new Console({ tty: config.Tty, stdin: config.OpenStdin, stdinOnce: config.StdinOnce });
}

/** conmon's file serves every local driver; options would be promises that nobody keeps. */
function checkLogConfig({ Type, Config }: LogConfig): LogConfig {
  if (!LOG_DRIVERS.includes(Type)) {
    throw new EngineError("invalid", `logger: no log driver named '${Type}' is registered`);
  }
  const option = Object.keys(Config ?? {})[0];
  if (option !== undefined) {
    throw new EngineError(
      "invalid",
      `the log option '${option}' is not supported by the log driver '${Type || "json-file"}'`,
    );
  }
  return { Type: Type || "json-file", Config: {} };
}

function assertPlatform(image: { os?: string; architecture?: string }, wanted: Platform | undefined): string[] {
  if (wanted === undefined) return [];
  const differs =
    (wanted.os && image.os && wanted.os !== image.os) ||
    (wanted.architecture && image.architecture && wanted.architecture !== image.architecture);
  if (!differs) return [];
  const have = `${image.os}/${image.architecture}`;
  throw new EngineError(
    "not-found",
    `image with reference was found but its platform (${have}) does not match the specified platform ` +
      `(${wanted.os}/${wanted.architecture})`,
  );
}
